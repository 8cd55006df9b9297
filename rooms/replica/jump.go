package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"warren/rooms"
)

// A copy that lacks much of the log does not run all of it. It takes the state at a late checkpoint from another node, shown to be certified by
// what the directory knows of the room's controllers, goes on from there, and fills in the log below in the background (gap.go).

// errNoProof is what came of asking for a snapshot where there is none that could help.
var errNoProof = errors.New("no snapshot that would help")

// mayJump reports whether the copy may leave out the events up to about that height: nobody here watches them, and no controller runs on them; or
// there is no other way.
func (r *Replica) mayJump(height uint64) bool {
	if r.directory || r.broken != nil {
		return false
	}
	return r.stranded() || r.ctl == nil && height > r.chain.Height+r.h.cfg.Jump && r.watchers() == 0 && !r.out.promised()
}

// mayJumpFrom reports whether the node is to be asked for a snapshot now.
func (r *Replica) mayJumpFrom(from rooms.NodeID, now time.Time) bool {
	return r.mayJump(r.claimed) && now.Sub(r.jumped[from]) >= jumpAgain
}

// promised reports whether somebody waits for what becomes of a wish.
func (o *outbox) promised() bool {
	for _, w := range o.pending {
		if w.done != nil || w.cookie != nil || w.said || w.fixed {
			return true
		}
	}
	return false
}

// jump begins to fetch a snapshot, if that is the way to catch up. false: it is not.
func (r *Replica) jump(from rooms.NodeID, now time.Time) bool {
	if !r.mayJumpFrom(from, now) {
		return false
	}
	rec, err := r.h.record(r.id)
	if err != nil {
		return false
	}
	if len(r.jumped) > maxOthers {
		clear(r.jumped)
	}
	r.jumped[from] = now
	ctx, cancel := context.WithTimeout(r.ctx, jumpTime)
	r.pull = pulling{from, now, cancel}
	as, above := r.as, r.chain.Height+r.h.cfg.Jump/2
	if r.stranded() {
		above = r.chain.Height // anything helps
	}
	on := func() { r.call(func() { r.pull.since = time.Now() }) }
	r.h.wg.Go(func() {
		defer cancel()
		s, err := r.h.fetchSnapshot(ctx, from, as, &rec, on)
		if err == nil && s.chain.Height <= above {
			err = errNoProof
		}
		r.must(func() {
			r.pull.cancel = nil
			if err == nil {
				err = r.land(s)
			}
			if err != nil {
				r.claimed = 0 // whoever said so may say it again
				r.h.log.Debug("a snapshot was not taken", "room", r.id.Short(), "from", from.Short(), "err", err)
			}
			r.catchUp(from) // the rest, or all of it
		})
	})
	return true
}

// snapshot is the state at a checkpoint, as another node gave it, shown to be right.
type snapshot struct {
	chain *rooms.Chain
	data  []byte            // encoded
	cert  rooms.Certificate // over the head; nil when a later header is what is certified
}

// fetchSnapshot gets the newest snapshot that the node can prove. on is called whenever it gets on.
func (h *Host) fetchSnapshot(ctx context.Context, from rooms.NodeID, as reader, rec *rooms.RoomRecord, on func()) (*snapshot, error) {
	var p proved
	if err := h.pull(ctx, from, pull{Room: rec.ID, For: as, Want: wantProof, After: rec.Since}, &p); err != nil {
		return nil, err
	}
	if p.Proof == nil {
		return nil, errNoProof
	}
	if err := p.Proof.Check(rec); err != nil {
		return nil, err
	}
	if p.Size > snapshotBytes {
		return nil, fmt.Errorf("a snapshot of %d bytes is too large", p.Size)
	}
	at := p.Proof.Header.Height
	var data []byte
	for uint64(len(data)) < p.Size {
		on()
		var part piece
		step, cancel := context.WithTimeout(ctx, pullTime)
		err := h.pull(step, from, pull{Room: rec.ID, For: as, Want: wantSnapshot, After: at, Upto: uint64(len(data))}, &part)
		cancel()
		switch {
		case err != nil:
			return nil, err
		case len(part.Data) == 0 || len(part.Data) > snapshotPiece:
			return nil, errAnswer
		}
		data = append(data, part.Data...)
	}
	chain, err := rooms.RestoreAt(&p.Proof.Header, data)
	if err != nil {
		return nil, err
	}
	s := &snapshot{chain: chain, data: data}
	if len(p.Proof.Above) == 0 {
		s.cert = p.Proof.Cert
	}
	return s, nil
}

// land puts the copy where the snapshot stands, if nothing has come up meanwhile that forbids it.
func (r *Replica) land(s *snapshot) error {
	if !r.mayJump(s.chain.Height + r.h.cfg.Jump/2) {
		return errors.New("somebody watches the room by now")
	}
	if s.chain.Height <= r.chain.Height {
		return errNoProof
	}
	r.takeOver(s)
	return nil
}

// provable returns the height of the newest snapshot on disk whose digest the controllers sign, and the snapshot; 0: there is none.
func (h *Host) provable(id rooms.RoomID) (at uint64, snapshot []byte, err error) {
	list, err := h.cfg.Store.Range(Snapshots, id[:], after(id), 2, true)
	if err != nil {
		return 0, nil, err
	}
	for _, e := range list {
		if at = binary.BigEndian.Uint64(e.Key[len(e.Key)-8:]); at%rooms.CheckpointEvery == 0 { // else it is where the copy was closed
			return at, e.Value, nil
		}
	}
	return 0, nil, nil
}

// serveProof answers who wants the newest snapshot here that can be shown to be right. It reads the disk.
func (r *Replica) serveProof(since uint64) (proved, error) {
	at, data, err := r.h.provable(r.id)
	if err != nil || at == 0 {
		return proved{}, err
	}
	r.mu.RLock()
	head, changed := r.chain.Height, r.chain.Machine.Base().Since
	r.mu.RUnlock()
	p, err := r.h.proofAt(r.id, at, since, head, changed)
	if err != nil || p == nil {
		return proved{}, err
	}
	return proved{Proof: p, Size: uint64(len(data))}, nil
}

// proofAt shows that the header at a height is certified, to whom the directory has shown the controllers up to the change at height since. The
// log here goes up to head, and its last change of controllers is at height changed. nil: it cannot be shown.
func (h *Host) proofAt(id rooms.RoomID, at, since, head, changed uint64) (*rooms.Proof, error) {
	p := &rooms.Proof{}
	for height := changed; height > since; {
		list, err := h.decisions(id, height, height)
		if err != nil || len(list) == 0 || len(p.Changes) == rooms.MaxChanges {
			return nil, err
		}
		rc, ok := list[0].ReconfigureOf()
		if !ok {
			return nil, nil
		}
		p.Changes = append([]rooms.Decision{list[0]}, p.Changes...)
		height = rc.Since
	}
	top := max(at, changed+1)
	if rec, err := h.record(id); err == nil && at <= rec.Floor && rec.Since == since {
		top, p.Changes = rec.Floor, nil // a header that the directory names needs no more proof
	}
	if top > head || top-at > rooms.MaxAbove {
		return nil, nil
	}
	for low := at; low <= top; low += historyStep {
		list, err := h.decisions(id, low, min(top, low+historyStep-1))
		if err != nil || uint64(len(list)) != min(top, low+historyStep-1)-low+1 {
			return nil, err
		}
		for i := range list {
			if list[i].Header.Height == at {
				p.Header = list[i].Header
			} else {
				p.Above = append(p.Above, list[i].Header)
			}
			p.Cert = list[i].Cert
		}
	}
	return p, nil
}

// serveSnapshot answers who wants a piece of the snapshot at a height.
func (h *Host) serveSnapshot(q *pull) (piece, error) {
	data, err := h.cfg.Store.Get(Snapshots, roomKey(q.Room, q.After))
	if err != nil || q.Upto >= uint64(len(data)) {
		return piece{}, err
	}
	data = data[q.Upto:]
	return piece{Data: data[:min(len(data), snapshotPiece)]}, nil
}
