package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestAParkedRoomForgetsNoCharge: what a controller did is known after the room has left memory and come back.
func TestAParkedRoomForgetsNoCharge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		charged := func(r *Replica) bool {
			list := r.Status().Charges
			return len(list) > 0 && list[0].Node == node("n3")
		}
		r := w.open("n1", id, "ann")
		junk := rooms.Marshal(frame{Room: id, Kind: frameOrder, Data: []byte("no message at all")})
		for range 40 {
			w.hosts["n3"].cfg.Net.Send(node("n1"), junk)
			time.Sleep(100 * time.Millisecond) // virtual
		}
		if !charged(r) {
			t.Fatalf("n1 has nothing against n3: %+v", r.Status().Charges)
		}
		w.parkedEverywhere(id)
		r = w.open("n1", id, "ann")
		w.eventually("it is known again", 5*time.Second, func() bool { return charged(r) })
	})
}
