package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// A copy that lacks much of the log does not run all of it. It takes the state at a late checkpoint from another node, shown to be certified by
// what the directory knows of the room's controllers, goes on from there, and fills in the log below in the background (gap.go).

// What came of asking for a snapshot.
var (
	errNoProof = errors.New("no snapshot that would help")
	errSilent  = errors.New("no answer")
)

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

// jump begins to fetch a snapshot, if that is the way to catch up: from that node or, if it cannot help, from another one. false: it is not.
func (r *Replica) jump(from rooms.NodeID, now time.Time) bool {
	if !r.mayJumpFrom(from, now) {
		return false
	}
	rec, err := r.h.record(r.id)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(r.ctx, jumpTime)
	above := r.chain.Height + r.h.cfg.Jump/2
	if r.stranded() {
		above = r.chain.Height // anything helps
	}
	l := &leap{
		h: r.h, rec: &rec, as: r.as, above: above, sources: r.leapSources(from, now), skip: make(chan struct{}, 1),
		on: func(n rooms.NodeID, good time.Duration) {
			r.call(func() { r.pull.from, r.pull.since = n, time.Now().Add(good) })
		},
	}
	r.pull = pulling{from, now, l.pass}
	r.h.wg.Go(func() {
		defer cancel()
		s, err := l.fetch(ctx)
		r.must(func() {
			r.pull.cancel = nil
			if err == nil {
				err = r.land(s)
			}
			if err != nil {
				r.claimed = 0 // whoever said so may say it again
				r.h.log.Debug("a snapshot was not taken", "room", r.id.Short(), "from", from.Short(), "err", err)
				r.disappointed(l.sources, time.Now())
			}
			r.catchUp(from) // the rest, or all of it
		})
	})
	return true
}

// leapSources returns who is to be asked for a snapshot, one after the other, beginning with from.
func (r *Replica) leapSources(from rooms.NodeID, now time.Time) []rooms.NodeID {
	out := []rooms.NodeID{from}
	for _, n := range r.fetcher().sources {
		if n != from && len(out) < leapSources && r.h.alive(n) && now.Sub(r.jumped[n]) >= jumpAgain {
			out = append(out, n)
		}
	}
	return out
}

// disappointed remembers who was asked for a snapshot in vain.
func (r *Replica) disappointed(list []rooms.NodeID, now time.Time) {
	if len(r.jumped) > maxOthers {
		clear(r.jumped)
	}
	for _, n := range list {
		r.jumped[n] = now
	}
}

// leap is a search for a snapshot at one node after the other. At first each has little time, so that one that is slow, or lies slowly, does not hold
// up what others give at once; then those that were slow have as long as it takes.
type leap struct {
	h       *Host
	rec     *rooms.RoomRecord
	as      reader
	above   uint64 // it must be of a greater height
	sources []rooms.NodeID
	skip    chan struct{} // holds a token: go on to the next one
	on      func(n rooms.NodeID, good time.Duration)
}

// pass goes on to the next source. It does not block.
func (l *leap) pass() {
	select {
	case l.skip <- struct{}{}:
	default:
	}
}

// fetch returns the first good snapshot. It blocks until there is one, or nobody has one, or ctx ends.
func (l *leap) fetch(ctx context.Context) (s *snapshot, err error) {
	list := l.sources
	for _, patience := range []time.Duration{leapTime, jumpTime} {
		var slow []rooms.NodeID
		for _, n := range list {
			if s, err = l.from(ctx, n, patience); err == nil || ctx.Err() != nil {
				return s, err
			}
			l.h.log.Debug("no snapshot", "room", l.rec.ID.Short(), "from", n.Short(), "err", err)
			if errors.Is(err, errSilent) {
				slow = append(slow, n)
			}
		}
		list = slow
	}
	return nil, err
}

// from asks one source.
func (l *leap) from(ctx context.Context, n rooms.NodeID, patience time.Duration) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-l.skip: // it was about the one before
	default:
	}
	l.h.wg.Go(func() {
		select {
		case <-l.skip:
			cancel()
		case <-ctx.Done():
		}
	})
	good := time.Duration(0)
	if patience > leapTime {
		good = pullTime // it need not make way for another one while it gets on
	}
	l.on(n, good)
	s, err := l.h.fetchSnapshot(ctx, n, l.as, l.rec, func() { l.on(n, good) })
	if err == nil && s.chain.Height <= l.above {
		return nil, errNoProof
	}
	return s, err
}

// snapshot is the state at a checkpoint, as another node gave it, shown to be right.
type snapshot struct {
	chain *rooms.Chain
	data  []byte            // encoded
	cert  rooms.Certificate // over the head; nil when a later header is what is certified
}

// fetchSnapshot gets the newest snapshot that the node can prove. on is called whenever it gets on. errSilent: the node gave no answer, or is busy.
func (h *Host) fetchSnapshot(ctx context.Context, from rooms.NodeID, as reader, rec *rooms.RoomRecord, on func()) (*snapshot, error) {
	var p proved
	if err := h.pull(ctx, from, pull{Room: rec.ID, For: as, Want: wantProof, After: rec.Since}, &p); err != nil {
		return nil, fmt.Errorf("%w: %w", errSilent, err)
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
			return nil, fmt.Errorf("%w: %w", errSilent, err)
		case uint64(len(part.Data)) != min(snapshotPiece, p.Size-uint64(len(data))):
			return nil, errAnswer // an empty one: it has made way for a later snapshot
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

// serveState answers who wants a proof, or a piece of a snapshot. Each makes this node read much more than it sends, so it does one at a time for all;
// it may block on that and on the disk. errs.Busy: others were served all the time.
func (h *Host) serveState(ctx context.Context, r *Replica, q *pull) ([]byte, error) {
	t := time.NewTimer(servePatience)
	defer t.Stop()
	select {
	case h.serving <- struct{}{}:
		defer func() { <-h.serving }()
	case <-t.C:
		return nil, errs.Busy
	case <-ctx.Done():
		return nil, errs.Timeout
	case <-h.ctx.Done():
		return nil, errs.Closed
	}
	if q.Want == wantProof {
		p, err := r.serveProof(q.After)
		if err != nil {
			return nil, err
		}
		return rooms.Marshal(p), nil
	}
	p, err := h.serveSnapshot(q)
	if err != nil {
		return nil, err
	}
	return rooms.Marshal(p), nil
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
		p.Changes = append([]rooms.Decision{*list[0].Plain()}, p.Changes...)
		height = rc.Since
	}
	top := max(at, changed+1)
	if rec, err := h.record(id); err == nil && at <= rec.Floor && rec.Since == since {
		top, p.Changes = rec.Floor, nil // a header that the directory names needs no more proof
	}
	if top > head || top-at > rooms.MaxAbove {
		return nil, nil
	}
	for next := at; next <= top; { // whole decisions, of which the headers are kept
		d, err := h.covering(id, next)
		if err != nil || d == nil {
			return nil, err
		}
		for _, header := range append(d.TickHeaders(), d.Header) {
			switch {
			case header.Height < next: // it was packed meanwhile
			case header.Height == at:
				p.Header = header
			case header.Height > at:
				p.Above = append(p.Above, header)
			}
		}
		p.Cert, next = d.Cert, d.Header.Height+1
	}
	if len(p.Above) > rooms.MaxAbove {
		return nil, nil
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
