package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// TestAControllerEndorsesWhatItSeesItself: whoever leads cannot have a node taken for gone, or put out, that the others hear.
func TestAControllerEndorsesWhatItSeesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		w.member(id)
		r := w.enter("n1", id, "ann")
		change := &rooms.Reconfigure{Controllers: []rooms.NodeID{node("n1"), node("n2"), node("n3"), node("n5")}}
		rooms.SortNodes(change.Controllers)
		change.Consents = []rooms.Consent{rooms.MakeConsent(id, 0, 1, key("n5"))}
		judged := func(from, kind string, body rooms.Body) (yes bool) {
			r.wait(func() { _, yes = r.judge(node(from), ask{Kind: kind, Body: rooms.Marshal(body)}) })
			return yes
		}
		if judged("n2", rooms.KindNodeGone, &rooms.NodeGone{Node: node("n5")}) {
			t.Error("a node that is heard is taken for gone")
		}
		if judged("n2", rooms.KindReconfigure, change) {
			t.Error("a controller that is heard is put out")
		}
		w.kill("n4")
		w.kill("n5")
		time.Sleep(r.h.cfg.Away * 3 / 4) // virtual; half is enough for who judges
		if judged("n2", rooms.KindReconfigure, change) {
			t.Error("one who is dead comes in")
		}
		if !judged("n2", rooms.KindNodeGone, &rooms.NodeGone{Node: node("n5")}) {
			t.Error("a node that was not heard for long is not taken for gone")
		}
		if judged("n9", rooms.KindNodeGone, &rooms.NodeGone{Node: node("n5")}) {
			t.Error("somebody else than a controller is endorsed")
		}
		w.start("n5")
		if !judged("n2", rooms.KindReconfigure, change) {
			t.Error("a living node does not come in for one that is away")
		}
	})
}
