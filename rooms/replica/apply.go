package replica

import (
	"errors"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// offer takes a certified decision from another node. It is checked, applied when it is next and its directory version is here, and kept for a
// while when it is not. from is whom to ask for what is missing.
func (r *Replica) offer(d *rooms.Decision, from rooms.NodeID) {
	if r.broken != nil || d.Header.Room != r.id || d.Header.Height <= r.chain.Height {
		return
	}
	if d.Header.Height > r.chain.Height+1 || !r.ready(d) {
		if len(r.held) < maxHeldBack {
			r.held[d.Header.Height] = d
		}
		if d.Header.Height > r.chain.Height+1 {
			r.catchUp(from)
		}
		if !r.ready(d) {
			r.h.dir.call(func() { r.h.dir.catchUp(from) }) // every node follows the directory, this one further than we do
		}
		return
	}
	if err := r.chain.Check(d); err != nil {
		r.h.log.Warn("a decision was refused", "room", r.id.Short(), "height", d.Header.Height, "from", from.Short(), "err", err)
		return
	}
	r.apply(d, false)
	r.applyHeld()
}

// ready reports whether the directory version that the decision names is here.
func (r *Replica) ready(d *rooms.Decision) bool {
	return r.directory || d.Header.Dir <= r.h.dirHeight()
}

func (r *Replica) applyHeld() {
	for {
		d, ok := r.held[r.chain.Height+1]
		if !ok || !r.ready(d) || r.broken != nil {
			break
		}
		delete(r.held, d.Header.Height)
		if r.chain.Check(d) != nil {
			break
		}
		r.apply(d, false)
	}
	for height := range r.held {
		if height <= r.chain.Height {
			delete(r.held, height)
		}
	}
}

// apply runs a checked decision on the chain, keeps it, passes it on and tells what it did. own: this node's controller certified it.
func (r *Replica) apply(d *rooms.Decision, own bool) {
	var view rooms.View
	if !r.directory {
		view = r.h.view(d.Header.Dir)
	}
	counter := r.chain.Machine.Base().Counters[r.h.self]
	r.mu.Lock()
	events, err := r.chain.Accept(d, view, r.h.sigs.check)
	if err == nil {
		r.cert = d.Cert
	} else if errors.Is(err, rooms.ErrDiverged) {
		r.broken = err
	}
	r.mu.Unlock()
	if err != nil {
		// A quorum signed what this node cannot reproduce: going on would show people something else than the others see.
		r.h.log.Error("a certified decision cannot be applied; the room stops at this node", "room", r.id.Short(), "err", err)
		return
	}
	data := rooms.Marshal(d)
	changes := []Change{{Table: Decisions, Key: roomKey(r.id, d.Header.Height), Value: data}}
	if r.ctl != nil || own {
		changes = append(changes, dropSigned(r.id, d.Header.Height)...)
	}
	if d.Header.Height%snapshotEvery == 0 {
		changes = append(changes, r.snapshotChanges()...)
	}
	r.h.cfg.Store.WriteLater(changes)
	if r.ctl != nil && !own {
		r.ctl.Certified(d)
	}
	r.push(data)
	cookies := make([]any, len(events))
	for i := range events {
		if events[i].Device == r.h.self {
			cookies[i] = r.out.cookie(events[i].ID)
		}
	}
	for i := range events {
		r.dispatch(&events[i], cookies[i])
	}
	r.out.decided(r, d, counter)
	r.releaseSyncs()
	if r.directory {
		r.h.directoryMoved()
	}
	r.afterDecision(events)
}

func (r *Replica) snapshotChanges() []Change {
	at := r.chain.Height
	return []Change{
		{Table: Snapshots, Key: r.id[:], To: roomKey(r.id, at)},
		{Table: Snapshots, Key: roomKey(r.id, at), Value: r.chain.Snapshot()},
	}
}

// snapshot writes where the chain stands, so that the next start need not run the log again.
func (r *Replica) snapshot() {
	if r.broken == nil && r.chain.Height > 0 {
		r.h.cfg.Store.WriteLater(r.snapshotChanges())
	}
}

// afterDecision follows what a decision did to the room itself.
func (r *Replica) afterDecision(events []rooms.Event) {
	for i := range events {
		switch events[i].Op {
		case rooms.OpReconfigure:
			r.reconfigured()
		case rooms.OpClose:
			r.stew.told = time.Time{} // tell the directory at once
		}
	}
}

// leaveStale takes out occupants that this node brought in before it was restarted: their clients are gone.
func (r *Replica) leaveStale() {
	if r.directory {
		return
	}
	st := r.chain.Machine.(*rooms.State)
	for _, fold := range st.Nicks() {
		o := st.Occupants[fold]
		if slices.Contains(o.Nodes, r.h.self) {
			r.submit(o.Account, o.Nick, &rooms.Leave{Reason: "the node was restarted", Quit: true}, nil, nil)
		}
	}
}

func (r *Replica) releaseSyncs() {
	r.syncs = slices.DeleteFunc(r.syncs, func(w *syncWait) bool {
		if w.known && r.chain.Height >= w.height {
			w.ch <- nil
			return true
		}
		return w.gone.Load()
	})
}

// kindError turns a verdict into an error.
func kindError(k errs.Kind) error {
	if k == errs.OK {
		return nil
	}
	return k
}
