package replica

import (
	"testing"
	"testing/synctest"

	"warren/rooms"
)

// TestStrangersEndorseNoSilence: who does not control the directory, or signs something else, takes no place among the endorsements that a recovery
// waits for.
func TestStrangersEndorseNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.start("n1")
		d, thing := h.Dir(), rooms.Hash{1}
		var list []rooms.Endorsement
		p := &petition{kind: rooms.KindSilent, thing: thing, got: map[rooms.NodeID]rooms.Endorsement{}, done: func(l []rooms.Endorsement) { list = l }}
		take := func(from string, signed rooms.Hash) {
			e := endorse{Kind: rooms.KindSilent, Thing: thing, E: rooms.Endorse(d.id, rooms.KindSilent, signed, h.Now(), key(from))}
			d.frame(inFrame{from: node(from), frame: frame{Room: d.id, Kind: frameEndorse, Data: rooms.Marshal(e)}})
		}
		d.wait(func() {
			d.stew.silence = p
			for _, n := range []string{"x1", "x2", "x3", "x4", "x5", "x6", "x7"} {
				take(n, thing)
			}
			take("n1", rooms.Hash{2})
			if len(p.got) > 0 {
				t.Errorf("%d endorsements were taken that are worth nothing", len(p.got))
			}
			take("n1", thing)
		})
		if len(list) != 1 || list[0].Node != node("n1") {
			t.Errorf("the controller's endorsement was not taken: %+v", list)
		}
	})
}

// TestAskingForSilenceReadsNoDisk: any node may ask. What it says of controllers that are heard is refused before the room's state is looked at.
func TestAskingForSilenceReadsNoDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := w.nodes(1)
		w.registered(h, "alice")
		id := w.found("alice", "", rooms.CreateRoom{Name: "hall"})
		w.parkedEverywhere(id)
		st := w.stores["n1"]
		for _, nodes := range [][]rooms.NodeID{nil, {h.self}} {
			before := st.readsOf(Snapshots)
			h.dir.wait(func() {
				body := rooms.Marshal(silentBody{Room: id, Epoch: 1, For: "alice", Nodes: nodes})
				if _, ok := h.dir.judge(h.self, ask{Kind: rooms.KindSilent, Body: body}); ok {
					t.Errorf("silence of %v was endorsed", nodes)
				}
			})
			if n := st.readsOf(Snapshots) - before; n > 0 {
				t.Errorf("the disk was read %d times to judge the silence of %v", n, nodes)
			}
		}
	})
}
