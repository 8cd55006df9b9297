package replica

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// The worst day: most of a room's controllers are gone for ever. Somebody who manages the room has it begin anew from the highest certified state that
// is to be had, at one node first; the room then grows as any other. For the directory that is the holder of the recovery key.

// Survey tells what a recovery would start from.
type Survey struct {
	Epoch       uint64
	Height      uint64
	Controllers []rooms.NodeID
	Silent      []rooms.NodeID // controllers that are not heard
	Frozen      bool           // fewer are heard than a quorum: only then can the room be recovered
}

// Survey looks at a room as this node sees it, after it has fetched what others have of it. It blocks for some seconds at most.
func (h *Host) Survey(ctx context.Context, id rooms.RoomID, account string) (Survey, error) {
	r, err := h.hold(id)
	if err != nil {
		return Survey{}, err
	}
	h.fetch(ctx, r, account)
	return r.survey(), nil
}

func (r *Replica) survey() Survey {
	st := r.Status()
	s := Survey{Epoch: st.Epoch, Height: st.Height, Controllers: st.Controllers}
	for _, c := range st.Controllers {
		if !r.h.alive(c) {
			s.Silent = append(s.Silent, c)
		}
	}
	s.Frozen = len(st.Controllers)-len(s.Silent) < rooms.Quorum(len(st.Controllers))
	return s
}

// fetch asks every node that is up for what it has of a room above the copy here.
func (h *Host) fetch(ctx context.Context, r *Replica, account string) {
	for _, n := range h.nodes() {
		if n.ID == h.self || !h.alive(n.ID) {
			continue
		}
		for more := true; more && ctx.Err() == nil; {
			height, _ := r.Head()
			sub, cancel := context.WithTimeout(ctx, pullPatience)
			data, err := h.cfg.Net.Pull(sub, n.ID, rooms.Marshal(pull{Room: r.id, For: reader{Account: account}, After: height}))
			cancel()
			var p pulled
			if err != nil || rooms.Unmarshal(data, &p) != nil {
				break
			}
			done := make(chan struct{})
			if !r.call(func() {
				for _, b := range p.Decisions {
					d := &rooms.Decision{}
					if rooms.Unmarshal(b, d) == nil {
						r.offer(d, n.ID, len(b))
					}
				}
				close(done)
			}) {
				return
			}
			select {
			case <-done:
			case <-r.done:
				return
			}
			now, _ := r.Head()
			more = now > height && now < p.Height
		}
	}
}

// Errors of Recover and Rescue.
var (
	ErrNotFrozen  = errors.New("a quorum of the room's controllers is there: it needs no recovery")
	ErrNotManager = errors.New("the account does not manage the room")
	ErrStillThere = errors.New("the directory's controllers do not all see that the others are gone: try again in some seconds")
)

// Recovered tells what a recovery did.
type Recovered struct {
	Epoch   uint64
	Start   uint64 // height from which the room goes on
	Carried int    // of the decisions up to there, how many no certificate was known for
	Of      int    // controllers before
	Silent  []rooms.NodeID
}

// Recover has a room begin anew in the name of an account that manages it and has this node as a device. It blocks until the room goes on here, or ctx
// ends.
func (h *Host) Recover(ctx context.Context, id rooms.RoomID, account string) (Recovered, error) {
	var out Recovered
	r, err := h.hold(id)
	if err != nil {
		return out, err
	}
	h.fetch(ctx, r, account)
	s := r.survey()
	manages := false
	r.View(func(st *rooms.State) {
		manages = st.Decide(perms.Subject{Principal: perms.Account(account)}, perms.Manage, nil, h.Now(), nil).OK
	})
	switch {
	case !manages:
		return out, ErrNotManager
	case !s.Frozen:
		return out, ErrNotFrozen
	}
	if err := r.importAll(ctx); err != nil {
		return out, fmt.Errorf("tell the directory who controls the room: %w", err)
	}
	body, tally, err := r.gatherFor(ctx, account)
	if err != nil {
		return out, err
	}
	if len(tally.Silent) > 0 {
		if body.Silent, err = h.endorseSilent(ctx, id, s.Epoch, account, tally.Silent); err != nil {
			return out, err
		}
	}
	if _, err := h.dir.Ask(ctx, account, "", body); err != nil {
		return out, fmt.Errorf("order the new epoch in the directory: %w", err)
	}
	out = Recovered{
		Epoch: body.Epoch, Start: tally.Height + uint64(len(body.Carried)), Carried: len(body.Carried), Of: len(s.Controllers), Silent: tally.Silent,
	}
	return out, r.awaitEpoch(ctx, out.Epoch, out.Start)
}

// importAll has the directory told of the room's changes of controllers that it does not know yet.
func (r *Replica) importAll(ctx context.Context) error {
	got := make(chan []rooms.Body, 1)
	if !r.call(func() {
		rec, err := r.h.record(r.id)
		if err != nil {
			got <- nil
			return
		}
		got <- r.imports(rec)
	}) {
		return r.unheard()
	}
	select {
	case list := <-got:
		for _, b := range list {
			if err := r.h.Order(ctx, b); err != nil {
				return err
			}
		}
		return nil
	case <-r.done:
		return errs.Closed
	}
}

// gathering is what came of asking for statements.
type gathering struct {
	body  *rooms.NewEpoch
	tally rooms.Tally
	err   error
}

// gatherFor asks the controllers that are heard for their statements, until all of them have spoken or statementTime has passed.
func (r *Replica) gatherFor(ctx context.Context, account string) (*rooms.NewEpoch, rooms.Tally, error) {
	got := make(chan gathering, 1)
	end := time.Now().Add(statementTime)
	first := true
	for {
		if !r.call(func() {
			if first {
				r.gather(account)
				first = false
			}
			r.askStatements()
			rec, err := r.h.record(r.id)
			g := gathering{err: err}
			if err == nil {
				g.body, g.tally, g.err = r.epochBody(rec)
			}
			got <- g
		}) {
			return nil, rooms.Tally{}, r.unheard()
		}
		var g gathering
		select {
		case g = <-got:
		case <-r.done:
			return nil, g.tally, errs.Closed
		case <-ctx.Done():
			return nil, g.tally, errs.Timeout
		}
		if g.err != nil && !errors.Is(g.err, rooms.ErrUnclear) {
			return nil, g.tally, g.err
		}
		complete := !slices.ContainsFunc(g.tally.Silent, r.h.alive)
		if complete || time.Now().After(end) {
			return g.body, g.tally, nil
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return nil, g.tally, errs.Timeout
		}
	}
}

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

// rescueKey is where the rescue of the directory that began an epoch lies, in the table Held. They sort by the epoch.
func rescueKey(directory rooms.RoomID, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(append(directory[:], "rescue"...), epoch)
}

// openDirectory reads the directory from the disk, in its newest epoch.
func (h *Host) openDirectory() (*rooms.Chain, error) {
	id := h.cfg.Genesis.Directory()
	return h.toEpoch(id, func() (*rooms.Chain, error) {
		chain, err := h.loadChain(id, func() rooms.Machine { return rooms.NewDirectory(h.cfg.Genesis) })
		if err != nil {
			return nil, err
		}
		list, err := h.cfg.Store.Range(Held, rescueKey(id, chain.Epoch+1), rescueKey(id, math.MaxUint64), rooms.MaxEpochs, false)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			var rescue rooms.Rescue
			if rooms.Unmarshal(e.Value, &rescue) == nil {
				chain.LearnRescue(&rescue)
			}
		}
		return chain, nil
	})
}

// rescued takes a rescue of the directory, from this node's operator or from another node. It is on disk before anything follows from it.
func (r *Replica) rescued(rescue *rooms.Rescue) {
	if !r.directory || rescue.Epoch <= r.chain.Epoch || !rescue.OK(&r.h.cfg.Genesis) || r.broken != nil {
		return
	}
	for _, e := range r.chain.Ahead() {
		if e.Epoch == rescue.Epoch {
			return
		}
	}
	if err := r.h.cfg.Store.Write([]Change{{Table: Held, Key: rescueKey(r.id, rescue.Epoch), Value: rooms.Marshal(rescue)}}); err != nil {
		r.fail(fmt.Errorf("store: %w", err))
		return
	}
	r.mu.Lock()
	turned := r.chain.LearnRescue(rescue)
	r.mu.Unlock()
	r.followEpoch(turned)
	r.tellRescue(r.h.others()...)
}

// tellRescue tells nodes of all epochs of the directory after its first, ascending: they may have lived on in an older one, and have slept through some.
func (r *Replica) tellRescue(to ...rooms.NodeID) {
	d, ok := r.chain.Machine.(*rooms.Directory)
	if !ok {
		return
	}
	for i := range d.Rescues {
		data := rooms.Marshal(d.Rescues[i])
		for _, n := range to {
			r.tell(n, frameRescue, data)
		}
	}
}

// others returns the other nodes that are up.
func (h *Host) others() (out []rooms.NodeID) {
	for _, n := range h.nodes() {
		if n.ID != h.self && h.alive(n.ID) {
			out = append(out, n.ID)
		}
	}
	return out
}

// Rescue has the directory begin anew at this node, by the network's recovery key, from the highest certified state that is to be had. It blocks until
// the directory goes on here, or ctx ends.
func (h *Host) Rescue(ctx context.Context, recovery ed25519.PrivateKey) (Recovered, error) {
	var out Recovered
	if rooms.NodeOf(recovery.Public().(ed25519.PublicKey)) != h.cfg.Genesis.Recovery {
		return out, errors.New("this is not the network's recovery key")
	}
	r := h.dir
	h.fetch(ctx, r, "")
	s := r.survey()
	if !s.Frozen {
		return out, ErrNotFrozen
	}
	started := make(chan rooms.Rescue, 1)
	if !r.call(func() {
		rescue := rooms.Rescue{Epoch: r.chain.Epoch + 1, Start: r.chain.Height, Head: r.chain.Head, Controllers: []rooms.NodeID{h.self}}
		rescue.Sign(r.id, recovery)
		r.rescued(&rescue)
		started <- rescue
	}) {
		return out, r.unheard()
	}
	var rescue rooms.Rescue
	select {
	case rescue = <-started:
	case <-r.done:
		return out, errs.Closed
	}
	out = Recovered{Epoch: rescue.Epoch, Start: rescue.Start, Of: len(s.Controllers), Silent: s.Silent}
	return out, r.awaitEpoch(ctx, rescue.Epoch, rescue.Start)
}

// awaitEpoch blocks until the room goes on in that epoch, and says so.
func (r *Replica) awaitEpoch(ctx context.Context, epoch, start uint64) error {
	for st := r.Status(); st.Epoch < epoch || st.Height <= start || st.Frozen; st = r.Status() {
		select {
		case <-ctx.Done():
			return errs.Timeout
		case <-r.done:
			return errs.Closed
		case <-time.After(r.h.cfg.Tick):
		}
	}
	return nil
}
