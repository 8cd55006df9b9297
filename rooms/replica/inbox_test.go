package replica

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

func TestOneSenderLeavesRoomForTheOthers(t *testing.T) {
	h, err := New(Config{Key: key("n1"), Genesis: newWorld(t).genesis, Store: &memStore{m: map[Table][]Entry{}}, Net: &port{}})
	if err != nil {
		t.Fatal(err)
	}
	r := h.Dir() // nothing takes its frames: the host is not started
	for range 2 * inboxFrames {
		r.put(inFrame{node("bad"), frame{Kind: frameSignal}})
	}
	before := len(r.in.frames)
	r.put(inFrame{node("good"), frame{Kind: frameHead}})
	if before > inboxFrames/2 || len(r.in.frames) != before+1 {
		t.Errorf("%d frames of one sender wait, then %d of all: the inbox is full", before, len(r.in.frames))
	}
	for range 100 {
		r.put(inFrame{node("fat"), frame{Kind: frameOrder, Data: make([]byte, 1<<20)}})
	}
	if got := h.load.by[node("fat")]; got > senderBytes {
		t.Errorf("%d bytes of one sender wait", got)
	}
	r.closeInbox()
	if len(h.load.by) > 0 || len(r.in.waiting) > 0 {
		t.Errorf("counted after all is gone: %v %v", h.load.by, r.in.waiting)
	}
	if r.call(func() {}) {
		t.Error("a copy that has ended takes calls")
	}
}

func TestACopyThatIsJustClosedIsOpenedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, id := newWorld(t).four("lobby")
		h := w.join("n5", id)
		r := w.open("n5", id, "bob")
		w.eventually("it is closed when nobody needs it", 5*time.Minute, func() bool { return h.Get(id) == nil })
		if _, err := r.Ask(t.Context(), "", "bob", &rooms.Enter{}); !errors.Is(err, errs.Closed) {
			t.Errorf("asked of a copy that has ended: %v", err)
		}
		again := w.open("n5", id, "bob")
		again.call(func() { // and while it ends
			again.lastUse = time.Now().Add(-time.Hour)
			again.tickIdle(time.Now())
		})
		if _, err := h.Open(t.Context(), id, "", "bob"); err != nil {
			t.Errorf("opened while it was being closed: %v", err)
		}
	})
}
