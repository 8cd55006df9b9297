package replica

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

func TestAnIdleRoomIsParkedAndWakesWhenItIsWanted(t *testing.T) {
	for name, trouble := range map[string]func(w *world, leader string, r *Replica){
		"nothing":           func(*world, string, *Replica) {},
		"its leader's node": func(w *world, leader string, _ *Replica) { w.kill(leader) },
		"its leader's disk": func(w *world, leader string, r *Replica) {
			l := w.hosts[leader].Get(r.ID())
			l.call(func() { l.fail(errors.New("full")) })
		},
		"a backup's restart": func(w *world, leader string, r *Replica) { n := w.other(leader); w.kill(n); w.start(n) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, id := newWorld(t).four("lobby")
				r := w.member(id)
				time.Sleep(30 * time.Second)
				before := w.lan.orders.Load()
				time.Sleep(time.Minute)
				if n := w.lan.orders.Load() - before; n > 0 {
					t.Errorf("%d messages between controllers in an idle minute", n)
				}
				trouble(w, w.leader(r), r)
				time.Sleep(time.Minute)
				for range 3 {
					began := time.Now()
					w.do(r, "", "bob", &rooms.Say{Text: "hello?"})
					if d := time.Since(began); d > 8*time.Second {
						t.Errorf("ordered after %v", d)
					}
					time.Sleep(time.Minute)
				}
			})
		})
	}
}
