package replica

import (
	"testing"
	"testing/synctest"

	"warren/rooms"
)

// TestStrangersEndorseNoSilence: who does not control the directory takes no place among the endorsements that a recovery waits for.
func TestStrangersEndorseNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		h := w.start("n1")
		d, thing := h.Dir(), rooms.Hash{1}
		h.silence.thing, h.silence.got = thing, map[rooms.NodeID]rooms.Endorsement{}
		d.wait(func() {
			for _, n := range []string{"x1", "x2", "x3", "x4", "x5", "x6", "x7", "n1"} {
				e := endorse{Kind: rooms.KindSilent, Thing: thing, E: rooms.Endorse(d.id, rooms.KindSilent, thing, h.Now(), key(n))}
				d.frame(inFrame{from: node(n), frame: frame{Room: d.id, Kind: frameEndorse, Data: rooms.Marshal(e)}})
			}
		})
		if _, ok := h.silence.got[node("n1")]; !ok || len(h.silence.got) != 1 {
			t.Errorf("%d endorsements were taken, the controller's: %v", len(h.silence.got), ok)
		}
	})
}
