package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// Every node learns which rooms are secret, also those that have no copy of them.
func TestTheDirectoryKnowsWhatIsSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("den")
		far := w.join("n5", id)
		listed := func() bool {
			rec, err := far.record(id)
			return err == nil && rec.Listed()
		}
		if !listed() {
			t.Fatal("a new room is not listed")
		}
		maker := w.open("n1", id, "ann")
		for _, secret := range []bool{true, false} {
			w.do(maker, "", "ann", &rooms.Configure{Secret: &secret})
			w.eventually("n5 knows", 10*time.Second, func() bool { return listed() == !secret })
		}
		height := far.Dir().Status().Height
		time.Sleep(3 * importEvery)
		if now := far.Dir().Status().Height; now != height {
			t.Errorf("the directory went on from %d to %d: it is told again and again", height, now)
		}
	})
}
