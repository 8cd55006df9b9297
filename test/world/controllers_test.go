package world

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// A room asks for seven controllers, gets them one by one as nodes allow, survives two of them, and gives three up again.
func TestARoomAsksForSevenControllers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(8))
		alice := w.User("alice").On("n3").Join("lobby").Say("hello")
		controllers := func() int { return len(w.Node("n3").Room("lobby").Status().Controllers) }
		if n := controllers(); n != 4 {
			t.Fatalf("%d controllers at first", n)
		}
		alice.ask(&rooms.Configure{Controllers: new(uint8(7))})
		w.Eventually("it has seven", time.Minute, func() bool { return controllers() == 7 })
		alice.Say("with seven")
		down := 0
		for _, id := range w.Node("n3").Room("lobby").Status().Controllers {
			if name := w.Name(id); name != "n3" && name != w.Leader("lobby") && down < 2 {
				w.Crash(name)
				defer w.Restart(name)
				down++
			}
		}
		w.Eventually("everybody knows that they are down", 10*time.Second, func() bool {
			for _, n := range w.live() {
				if n.peersUp() != 5 {
					return false
				}
			}
			return true
		})
		alice.Say("with two of them dead")
		alice.ask(&rooms.Configure{Controllers: new(uint8(0))})
		w.Eventually("it has four again, and goes on", time.Minute, func() bool { return controllers() == 4 })
		for _, id := range w.Node("n3").Room("lobby").Status().Controllers {
			if w.Node(w.Name(id)).Host() == nil {
				t.Errorf("%s is dead and stayed a controller, while living ones went", w.Name(id))
			}
		}
		alice.Say("with four")
	})
}

// A room that asks for more controllers than there are nodes has as many as there are, and more when there are more.
func TestARoomHasNoMoreControllersThanLivingNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(6))
		w.Crash("n6")
		w.Eventually("everybody knows that n6 is down", 10*time.Second, func() bool {
			for _, n := range w.live() {
				if n.peersUp() != 4 {
					return false
				}
			}
			return true
		})
		alice := w.User("alice").On("n3").Join("lobby")
		alice.ask(&rooms.Configure{Controllers: new(uint8(7))})
		controllers := func() int { return len(w.Node("n3").Room("lobby").Status().Controllers) }
		w.Eventually("it has five", time.Minute, func() bool { return controllers() == 5 })
		w.Restart("n6")
		w.Eventually("it has six", time.Minute, func() bool { return controllers() == 6 })
		alice.Say("all of them")
	})
}
