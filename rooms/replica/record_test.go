package replica

import (
	"testing"
	"testing/synctest"

	"warren/rooms"
)

// TestPromisesOfWhatIsCertifiedAreForgotten: a controller keeps what it has signed until it is certified, not for ever.
func TestPromisesOfWhatIsCertifiedAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r := w.talk("n1", id, "line ", 50)
		height, _ := r.Head()
		for _, room := range []rooms.RoomID{id, w.genesis.Directory()} {
			list, err := w.stores["n1"].Range(Raft, raftKey(room, kindSigned, 0), raftKey(room, kindEnd, 0), 1000, false)
			if err != nil || len(list) > 0 {
				t.Errorf("%d promises are kept at height %d, %v", len(list), height, err)
			}
		}
	})
}
