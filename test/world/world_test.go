package world

import (
	"testing"
	"testing/synctest"
	"time"
)

// Even where a round trip takes longer than a tick of the order, people meet, write and are heard.
func TestPeopleMeetOverLongLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, Nodes(4), Delay(30*time.Millisecond, 90*time.Millisecond))
		alice := w.User("alice").On("n3").Join("lobby").Say("hello")
		w.User("bob").WithAccount().On("n2").Join("lobby").Say("hi").Put("list", "milk")
		w.Eventually("alice hears bob", 5*time.Second, func() bool { return len(alice.Heard()) == 2 })
		w.Settle(30 * time.Second)
		for _, l := range w.Check() {
			t.Logf("%s: %d decisions, %d events, %d copies", l.Name, len(l.Decisions), len(l.Events), l.Copies)
		}
	})
}
