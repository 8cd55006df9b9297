package replica

import (
	"context"
	"slices"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// silentBody is what a node asks the directory's controllers to endorse: that these controllers of a room are not heard.
type silentBody struct {
	_     struct{} `cbor:",toarray"`
	Room  rooms.RoomID
	Epoch uint64
	For   string // the account that recovers the room
	Nodes []rooms.NodeID
	Below bool // it goes on below what the directory has witnessed
}

// seesSilence judges by what this node hears itself. What costs least is asked first: any node may ask.
func (r *Replica) seesSilence(from rooms.NodeID, data []byte) (thing rooms.Hash, ok bool) {
	var b silentBody
	if !r.directory || rooms.Unmarshal(data, &b) != nil || len(b.Nodes) == 0 || len(b.Nodes) > rooms.MaxControllers {
		return thing, false
	}
	if slices.ContainsFunc(b.Nodes, func(n rooms.NodeID) bool { return !r.h.silent(n, goneAfter) }) || !r.h.inside(from) || !r.h.mayEndEpoch(from, &b) {
		return thing, false
	}
	return rooms.SilentThing(b.Room, b.Epoch, b.For, b.Nodes, b.Below), true
}

// mayEndEpoch reports whether these can be the controllers of the room's present epoch, and whether the account speaks through that node and manages the
// room: as it stands here or, without a copy, as it was made. It may block on the disk.
func (h *Host) mayEndEpoch(from rooms.NodeID, b *silentBody) bool {
	rec, err := h.record(b.Room)
	if err != nil || b.Epoch != rec.Epoch() || len(b.Nodes) > len(rec.Now) {
		return false
	}
	sorted := slices.Clone(b.Nodes)
	rooms.SortNodes(sorted)
	if !slices.Equal(sorted, b.Nodes) || len(slices.Compact(sorted)) != len(b.Nodes) {
		return false
	}
	for _, n := range b.Nodes {
		if !slices.Contains(rec.Now, n) {
			return false
		}
	}
	signs := false
	h.Directory(func(d *rooms.Directory) { signs = d.Now().Signs(b.For, from) })
	if !signs {
		return false
	}
	manages := false
	if h.View(b.Room, func(st *rooms.State) { manages = st.Manages(b.For, h.Now()) }) {
		return manages
	}
	_, held := h.Facts(b.Room)
	// A copy that cannot be read just now is no reason to believe the record. Nor is that enough where the room's past is at stake: its maker may have been relieved since.
	return !held && !b.Below && rec.Maker == perms.Account(b.For)
}

// endorseSilent has a quorum of the directory's controllers endorse that these nodes are not heard. One recovery at a time asks for that at this node:
// errs.Busy; ErrStillThere when they do not, though they had the time to notice. It blocks until then, or ctx ends.
func (h *Host) endorseSilent(ctx context.Context, room rooms.RoomID, epoch uint64, account string, nodes []rooms.NodeID, below bool) ([]rooms.Endorsement, error) {
	d, got := h.dir, make(chan []rooms.Endorsement, 1)
	p := &petition{
		kind: rooms.KindSilent, thing: rooms.SilentThing(room, epoch, account, nodes, below), got: map[rooms.NodeID]rooms.Endorsement{},
		body: rooms.Marshal(silentBody{Room: room, Epoch: epoch, For: account, Nodes: nodes, Below: below}),
		done: func(list []rooms.Endorsement) { got <- list },
	}
	busy := false
	if err := d.do(func() {
		if busy = d.stew.silence != nil; !busy {
			d.stew.silence = p
		}
	}); err != nil {
		return nil, err
	}
	if busy {
		return nil, errs.Busy
	}
	defer d.must(func() { d.stew.silence = nil })
	for end := time.Now().Add(goneAfter + order.StatementTime); time.Now().Before(end); {
		d.call(func() { d.petition(p) })
		select {
		case list := <-got:
			return list, nil
		case <-ctx.Done():
			return nil, errs.Timeout
		case <-time.After(askEvery):
		}
	}
	return nil, ErrStillThere
}
