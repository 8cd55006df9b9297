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
		defer w.close()
		far := w.join("n5", id)
		listed := func() bool {
			rec, err := far.record(id)
			return err == nil && rec.Listed()
		}
		if !listed() {
			t.Fatal("a new room is not listed")
		}
		maker, err := w.hosts["n1"].Open(t.Context(), id, "", "ann")
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []bool{true, false} {
			if _, err := maker.Ask(t.Context(), "", "ann", &rooms.Configure{Secret: &secret}); err != nil {
				t.Fatal(err)
			}
			w.eventually("n5 knows", 10*time.Second, func() bool { return listed() == !secret })
		}
		height := far.Dir().Status().Height
		time.Sleep(3 * importEvery)
		if now := far.Dir().Status().Height; now != height {
			t.Errorf("the directory went on from %d to %d: it is told again and again", height, now)
		}
	})
}
