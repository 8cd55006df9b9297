package replica

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// Who talks on and on while its node sends to one who does not lead, and does not answer, waits no longer than who says a single thing.
func TestSteadyTalkIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.member(id)
		w.join("n6", id) // it has no copy of the room
		r.call(func() { r.setLeader(node("n6")) })
		began := time.Now()
		waited := make(chan time.Duration, 100)
		for i := range cap(waited) {
			said := time.Now()
			r.Submit("", "bob", &rooms.Say{Text: fmt.Sprint(i)}, nil, func(o Outcome) {
				if o.Err != nil {
					t.Error(o.Err)
				}
				waited <- time.Since(said)
			})
			time.Sleep(50 * time.Millisecond)
		}
		for range cap(waited) {
			if d := <-waited; d > time.Second {
				t.Fatalf("something said within %v waited %v", time.Since(began), d)
			}
		}
	})
}

// Controllers that name each other as the leader do not have all that waits sent as fast as they answer.
func TestContradictingControllersCauseNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.member(id)
		tries := 0
		r.wait(func() {
			r.submit("", "bob", &rooms.Say{Text: "hello?"}, nil, nil)
			a, b := r.controllers()[0], r.controllers()[1]
			before := r.out.tries
			for range 500 {
				r.answered(a, answer{Leader: b})
				r.drive()
				r.answered(b, answer{Leader: a})
				r.drive()
			}
			tries = r.out.tries - before
		})
		if tries > 1 {
			t.Errorf("sent again %d times in one moment", tries)
		}
	})
}

// A host that hands over before it ends costs its rooms no election: another one leads them when it goes.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		r := w.member(id)
		for range 4 { // each time from another node
			lead := r.Status().Leader
			h := w.hosts[w.name(lead)]
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			began := time.Now()
			h.HandOver(ctx)
			cancel()
			if took := time.Since(began); took > time.Second {
				t.Errorf("handing over took %v", took)
			}
			for _, c := range []*Replica{h.Get(id), h.Dir()} {
				if s := c.Status(); s.Leader == lead || s.Leader.IsZero() {
					t.Errorf("room %s is led by %q after its leader handed over", c.ID().Short(), s.Leader.Short())
				}
			}
			began = time.Now()
			w.do(r, "", "bob", &rooms.Say{Text: "on"})
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("the next message took %v", took)
			}
		}
	})
}

// A host whose rooms nobody else can lead does not wait for anybody.
func TestHandOverOfOneAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		w.eventually("it leads", 20*time.Second, func() bool { return h.Dir().Status().Leader == h.Self() })
		began := time.Now()
		h.HandOver(t.Context())
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited %v for nobody", took)
		}
	})
}
