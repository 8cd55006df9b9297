package replica

import (
	"context"
	"slices"
	"sync"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// silentBody is what a node asks the directory's controllers to endorse: that these controllers of a room are not heard.
type silentBody struct {
	_     struct{} `cbor:",toarray"`
	Room  rooms.RoomID
	Epoch uint64
	For   string // the account that recovers the room
	Nodes []rooms.NodeID
}

// silence gathers such endorsements. One recovery at a time asks for them.
type silence struct {
	mu    sync.Mutex
	thing rooms.Hash
	got   map[rooms.NodeID]rooms.Endorsement
}

func (s *silence) take(e endorse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.got != nil && e.Thing == s.thing && len(s.got) < rooms.MaxControllers {
		s.got[e.E.Node] = e.E
	}
}

// endorsesSilence judges by what this node hears itself.
func (r *Replica) endorsesSilence(from rooms.NodeID, data []byte) (thing rooms.Hash, ok bool) {
	var b silentBody
	if !r.directory || !r.h.inside(from) || rooms.Unmarshal(data, &b) != nil || !r.h.mayEndEpoch(from, &b) {
		return thing, false
	}
	for _, n := range b.Nodes {
		if !r.silent(n, goneAfter) {
			return thing, false
		}
	}
	return rooms.SilentThing(b.Room, b.Epoch, b.For, b.Nodes), true
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
	who := perms.Account(b.For)
	manages := false
	if !h.View(b.Room, func(st *rooms.State) {
		manages = st.Decide(perms.Subject{Principal: who}, perms.Manage, nil, h.Now(), nil).OK
	}) {
		return rec.Maker == who
	}
	return manages
}

// endorseSilent has a quorum of the directory's controllers endorse that these nodes are not heard.
func (h *Host) endorseSilent(ctx context.Context, room rooms.RoomID, epoch uint64, account string, nodes []rooms.NodeID) ([]rooms.Endorsement, error) {
	body := rooms.Marshal(silentBody{Room: room, Epoch: epoch, For: account, Nodes: nodes})
	s := &h.silence
	s.mu.Lock()
	if s.got != nil {
		s.mu.Unlock()
		return nil, errs.Busy
	}
	s.thing, s.got = rooms.SilentThing(room, epoch, account, nodes), map[rooms.NodeID]rooms.Endorsement{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.got = nil
		s.mu.Unlock()
	}()
	end := time.Now().Add(goneAfter + statementTime)
	for time.Now().Before(end) {
		controllers := h.dir.Status().Controllers
		h.dir.call(func() {
			for _, c := range controllers {
				if c != h.self {
					h.dir.tell(c, frameAsk, rooms.Marshal(ask{Kind: rooms.KindSilent, Body: body}))
				} else if thing, ok := h.dir.endorsesSilence(h.self, body); ok {
					s.take(endorse{Thing: thing, E: rooms.Endorse(h.dir.id, rooms.KindSilent, thing, h.Now(), h.cfg.Key)})
				}
			}
		})
		select {
		case <-ctx.Done():
			return nil, errs.Timeout
		case <-time.After(askEvery):
		}
		s.mu.Lock()
		var out []rooms.Endorsement
		for _, c := range controllers {
			if e, ok := s.got[c]; ok {
				out = append(out, e)
			}
		}
		s.mu.Unlock()
		if len(out) >= rooms.Quorum(len(controllers)) {
			return out, nil
		}
	}
	return nil, ErrStillThere
}
