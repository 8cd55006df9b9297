package replica

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// frame takes one frame from another node.
func (r *Replica) frame(f inFrame) {
	now := time.Now()
	switch f.Kind {
	case frameOrder:
		if r.ctl != nil {
			r.stirred(f.from, now)
			if err := r.ctl.Step(now.UnixMilli(), f.from, f.Data); err != nil {
				r.h.log.Debug("an order message was refused", "room", r.id.Short(), "from", f.from.Short(), "err", err)
			}
		}
	case frameSubmit:
		var req rooms.Request
		if !r.putAside(f) && len(f.Data) <= rooms.MaxRequest && rooms.Unmarshal(f.Data, &req) == nil {
			r.submitFrom(f.from, &req, f.Data)
		}
	case frameAnswer:
		var a answer
		if rooms.Unmarshal(f.Data, &a) == nil {
			r.answered(f.from, a)
		}
	case framePush:
		var d rooms.Decision
		if f.from != r.source && !slices.Contains(r.orderers(), f.from) {
			return // nobody else was asked
		}
		if rooms.Unmarshal(f.Data, &d) == nil {
			r.heardFrom(f.from, now)
			r.offer(&d, f.from, len(f.Data))
		}
	case frameSubscribe:
		var s subscribe
		if rooms.Unmarshal(f.Data, &s) == nil {
			r.subscribed(f.from, s, now)
		}
	case frameRefer:
		var ref refer
		if rooms.Unmarshal(f.Data, &ref) == nil {
			r.referred(f.from, ref, now)
		}
	case frameHead:
		var hd head
		if rooms.Unmarshal(f.Data, &hd) == nil {
			r.headFrom(f.from, hd)
		}
	case frameAskHead:
		var a askHead
		if !r.putAside(f) && rooms.Unmarshal(f.Data, &a) == nil {
			r.sendHead(f.from, a.Nonce, r.mayRead(f.from, a.For))
		}
	case frameRecruit:
		r.wakeUp()
		r.recruited(f.from, now)
	case frameConsent:
		var c consent
		if rooms.Unmarshal(f.Data, &c) == nil {
			r.stew.consented(r, f.from, c)
		}
	case frameAsk:
		var a ask
		if rooms.Unmarshal(f.Data, &a) == nil {
			r.askedToEndorse(f.from, a)
		}
	case frameEndorse:
		var e endorse
		if rooms.Unmarshal(f.Data, &e) == nil && e.E.Node == f.from {
			if e.Kind == rooms.KindSilent && r.directory {
				if slices.Contains(r.controllers(), f.from) { // nobody else was asked, and there is room for no more
					r.h.silence.take(e)
				}
			} else {
				r.stew.endorsed(r, e)
			}
		}
	case frameAskState:
		var a askState
		if rooms.Unmarshal(f.Data, &a) == nil {
			r.askedToState(f.from, a)
		}
	case frameStatement:
		var s rooms.Statement
		if rooms.Unmarshal(f.Data, &s) == nil {
			r.stated(f.from, s)
		}
	case frameRescue:
		var rescue rooms.Rescue
		if rooms.Unmarshal(f.Data, &rescue) == nil {
			r.rescued(&rescue)
		}
	case frameSignal:
		r.signalled(f.from, f.Data)
	case frameProvisional:
		var req rooms.Request
		if len(f.Data) <= rooms.MaxRequest && rooms.Unmarshal(f.Data, &req) == nil {
			r.heardSay(&req)
		}
	}
}

func (r *Replica) tell(to rooms.NodeID, kind uint8, data []byte) bool {
	return r.h.cfg.Net.Send(to, rooms.Marshal(frame{Room: r.id, Kind: kind, Data: data}))
}

func (r *Replica) sendHead(to rooms.NodeID, nonce uint64, may bool) {
	hd := head{Nonce: nonce, Denied: !may, Sure: r.leads}
	if may {
		hd.Height, hd.Leader = r.chain.Height, r.leader
	}
	r.tell(to, frameHead, rooms.Marshal(hd))
	r.tellRescue(to)
}

func (r *Replica) headFrom(from rooms.NodeID, hd head) {
	orders := slices.Contains(r.orderers(), from)
	if !orders && from != r.source {
		return // what others claim decides nothing
	}
	now := time.Now()
	if !hd.Denied {
		r.heardFrom(from, now)
	}
	if orders && !hd.Leader.IsZero() && r.ctl == nil && r.h.alive(hd.Leader) {
		r.setLeader(hd.Leader)
	}
	if hd.Height > r.chain.Height {
		r.claimed = max(r.claimed, hd.Height)
		r.ahead(from, hd, now)
	}
	asked := slices.IndexFunc(r.syncs, func(w *syncWait) bool { return w.nonce == hd.Nonce })
	if asked < 0 || !hd.Sure {
		return // also a refusal: another controller may not know yet of a newcomer, or of a right
	}
	as := r.syncs[asked].as
	if !hd.Denied {
		r.as = as
	}
	var denied []*syncWait
	r.syncs = slices.DeleteFunc(r.syncs, func(w *syncWait) bool {
		if w.as != as || w.nonce > hd.Nonce || w.known {
			return false
		}
		if hd.Denied {
			denied = append(denied, w)
			return true
		}
		w.known, w.height = true, hd.Height
		return false
	})
	for _, w := range denied {
		w.done(errs.Denied)
	}
	r.releaseSyncs()
}

// sync answers when the copy has all that was ordered when it was asked: the leading controller tells how far that is.
func (r *Replica) sync(w *syncWait) {
	r.lastUse = time.Now()
	r.wakeUp()
	switch {
	case r.broken != nil:
		w.done(errs.Internal)
		return
	case r.cut && !w.own && !r.directory:
		w.done(errs.Frozen)
		return
	case r.leads:
		w.done(nil)
		return
	}
	r.nonce++
	w.nonce = r.nonce
	r.syncs = append(r.syncs, w)
	r.askHeads(r.lastUse, false)
}

// askHeads asks for all who wait: once for each on whose behalf, with the newest question. The leader is asked alone at first, and all when
// it did not answer: it may be somebody who only says so.
func (r *Replica) askHeads(now time.Time, all bool) {
	r.askedHead = now
	newest := map[reader]uint64{}
	for _, w := range r.syncs {
		if !w.known {
			newest[w.as] = max(newest[w.as], w.nonce)
		}
	}
	for as, nonce := range newest {
		data := rooms.Marshal(askHead{For: as, Nonce: nonce})
		if !r.leader.IsZero() && r.leader != r.h.self && r.tell(r.leader, frameAskHead, data) && !all {
			continue
		}
		for _, n := range r.informed() {
			if n != r.leader {
				r.tell(n, frameAskHead, data)
			}
		}
	}
}

// orderers returns who may order the room now: the controllers as this copy knows them, and those that the directory has witnessed since, for
// a copy that has not caught up yet.
func (r *Replica) orderers() []rooms.NodeID {
	list := slices.Clone(r.controllers())
	if r.directory {
		return list
	}
	r.h.Directory(func(d *rooms.Directory) {
		for _, n := range d.Rooms[r.id].Now {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	})
	return list
}

// informed returns the others who may know the room's head: who orders it, and of the directory every node, since a newcomer may not know the
// present controllers yet.
func (r *Replica) informed() []rooms.NodeID {
	list := r.orderers()
	if r.directory {
		for _, n := range r.h.nodes() {
			if !slices.Contains(list, n.ID) {
				list = append(list, n.ID)
			}
		}
	}
	return slices.DeleteFunc(list, func(n rooms.NodeID) bool { return n == r.h.self })
}

// settleSyncs lets those go who wait for a head that this node itself knows, and asks again for the others.
func (r *Replica) settleSyncs(now time.Time, all bool) {
	r.askAgain = false
	if r.leads {
		for _, w := range r.syncs {
			w.known, w.height = true, 0
		}
	} else {
		r.askHeads(now, all)
	}
	r.releaseSyncs()
}

func (r *Replica) controlsNow() bool {
	return slices.Contains(r.controllers(), r.h.self) && r.ctl != nil
}

// peer follows who comes and goes.
func (r *Replica) peer(id rooms.NodeID, up bool) {
	if id == r.source || slices.Contains(r.controllers(), id) {
		r.wakeUp()
	}
	if up {
		if id == r.source || slices.Contains(r.controllers(), id) {
			r.asked = time.Time{}
		}
		if r.frozen {
			r.respread(id)
		}
		return
	}
	delete(r.subs, id)
	if id == r.source {
		r.startOver()
	}
	if id == r.pull.from && r.pull.under() {
		r.pull.cancel()
	}
	r.lostController(id)
}

// pulling is a pull under way.
type pulling struct {
	from   rooms.NodeID
	since  time.Time
	cancel context.CancelFunc // nil: none is under way
}

func (p *pulling) under() bool { return p.cancel != nil }

// catchUp fetches the decisions that are missing, in the background, from one who has them. One pull is under way at a time; one that takes
// long makes way for who has been asked next, so that nobody holds a copy up by not answering.
func (r *Replica) catchUp(from rooms.NodeID) {
	if from == r.h.self || from.IsZero() || r.broken != nil {
		return
	}
	now := time.Now()
	if r.pull.under() {
		if from != r.pull.from && now.Sub(r.pull.since) > pullPatience {
			r.pull.cancel() // the next wish finds the place free
		}
		return
	}
	if r.jump(from, now) {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, pullTime)
	r.pull = pulling{from, now, cancel}
	req := rooms.Marshal(pull{Room: r.id, For: r.as, After: r.chain.Height})
	r.h.wg.Go(func() {
		defer cancel()
		var p pulled
		data, err := r.h.cfg.Net.Pull(ctx, from, req)
		if err == nil {
			err = rooms.Unmarshal(data, &p)
		}
		list := make([]*rooms.Decision, 0, min(len(p.Decisions), pullCount))
		for _, b := range p.Decisions[:cap(list)] {
			d := &rooms.Decision{}
			if err == nil {
				if err = rooms.Unmarshal(b, d); err == nil {
					list = append(list, d)
				}
			}
		}
		r.must(func() { r.pulled(from, p, list, err) })
	})
}

func (r *Replica) pulled(from rooms.NodeID, p pulled, list []*rooms.Decision, err error) {
	if err != nil {
		r.pull.cancel = nil
		r.h.log.Debug("a pull failed", "room", r.id.Short(), "from", from.Short(), "err", err)
		return
	}
	before := r.chain.Height
	for i, d := range list { // the pull still counts as under way: what is offered asks for nothing, the same would come again at once
		r.offer(d, from, len(p.Decisions[i]))
	}
	r.applyHeld()
	r.pull.cancel = nil
	if r.chain.Height == before || p.Height <= r.chain.Height {
		return
	}
	if r.claimed = max(r.claimed, p.Height); p.Height-r.chain.Height > fetchSpan && !r.mayJumpFrom(from, time.Now()) {
		r.climb(p.Height)
		return
	}
	r.catchUp(from)
}

// ServePull answers another node's wish for decisions. It may block on the disk.
func (h *Host) ServePull(_ context.Context, from rooms.NodeID, req []byte) ([]byte, error) {
	var q pull
	if err := rooms.Unmarshal(req, &q); err != nil {
		return nil, errs.Invalid
	}
	r, err := h.toServe(q.Room)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return rooms.Marshal(pulled{Unknown: true}), nil
	}
	var may bool
	answered := make(chan struct{})
	var height uint64
	if !r.call(func() { may, height = r.mayRead(from, q.For), r.chain.Height; close(answered) }) {
		return nil, errs.Busy
	}
	select {
	case <-answered:
	case <-r.done:
		return nil, errs.Closed
	}
	if !may {
		return rooms.Marshal(pulled{Denied: true}), nil
	}
	switch q.Want {
	case wantProof:
		p, err := r.serveProof(q.After)
		if err != nil {
			return nil, err
		}
		return rooms.Marshal(p), nil
	case wantSnapshot:
		p, err := h.serveSnapshot(&q)
		if err != nil {
			return nil, err
		}
		return rooms.Marshal(p), nil
	}
	out, err := h.serveLog(&q)
	if err != nil {
		return nil, err
	}
	out.Height = height
	return rooms.Marshal(out), nil
}

// serveLog reads decisions that follow each other, from the one that is wanted first on: none, when it is not here.
func (h *Host) serveLog(q *pull) (out pulled, err error) {
	end := after(q.Room)
	if q.Upto > 0 && q.Upto < math.MaxUint64 {
		end = roomKey(q.Room, q.Upto+1)
	}
	for size, next := 0, q.After+1; len(out.Decisions) < pullCount; {
		list, err := h.cfg.Store.Range(Decisions, roomKey(q.Room, next), end, pullStep, false)
		if err != nil {
			return out, err
		}
		for _, e := range list {
			if size += len(e.Value); size > pullBytes && len(out.Decisions) > 0 || binary.BigEndian.Uint64(e.Key[len(e.Key)-8:]) != next {
				return out, nil
			}
			out.Decisions = append(out.Decisions, e.Value)
			next++
		}
		if len(list) < pullStep {
			break
		}
	}
	return out, nil
}
