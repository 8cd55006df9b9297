package replica

import (
	"fmt"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// offer takes a certified decision from another node. It is checked, applied when it is next and its directory version is here, and kept for a
// while when it is not. from is whom to ask for what is missing.
func (r *Replica) offer(d *rooms.Decision, from rooms.NodeID, size int) {
	if r.broken != nil || d.Header.Room != r.id || d.Header.Height <= r.chain.Height {
		return
	}
	if d.Low() > r.chain.Height+1 {
		r.hold(d, size) // it cannot be checked yet
		r.claimed = max(r.claimed, d.Header.Height)
		r.catchUp(from)
		return
	}
	if d.Header.Epoch > r.chain.Epoch && !r.ready(d) {
		r.hold(d, size) // the directory that knows of the epoch is not here yet
		r.h.dir.call(r.h.dir.hurry)
		return
	}
	if err := r.chain.Check(d); err != nil {
		r.h.log.Warn("a decision was refused", "room", r.id.Short(), "height", d.Header.Height, "from", from.Short(), "err", err)
		return
	}
	if !r.ready(d) {
		r.drop(r.place(d))
		r.hold(d, size)
		r.h.dir.call(r.h.dir.hurry)
		return
	}
	r.apply(d, false)
	r.applyHeld()
}

// place returns the lowest height that the decision brings, and is not here: under which it is held back.
func (r *Replica) place(d *rooms.Decision) uint64 { return max(d.Low(), r.chain.Height+1) }

// heldBack is a decision that cannot be applied yet.
type heldBack struct {
	d    *rooms.Decision
	size int // bytes
}

// hold keeps a decision for later, if it is near the head and there is room. The next one always has room: it has been checked, or waits for the
// directory to show its epoch.
func (r *Replica) hold(d *rooms.Decision, size int) {
	height := r.place(d)
	if _, have := r.held[height]; have || height > r.chain.Height+maxHeldBack || r.heldBytes+size > heldBackBytes && height != r.chain.Height+1 {
		return
	}
	r.held[height] = heldBack{d, size}
	r.heldBytes += size
}

func (r *Replica) drop(height uint64) {
	r.heldBytes -= r.held[height].size
	delete(r.held, height)
}

// ready reports whether the directory version that the decision names is here.
func (r *Replica) ready(d *rooms.Decision) bool {
	return r.directory || d.Header.Dir <= r.h.dirHeight()
}

// applyHeld applies what was held back and is next now.
func (r *Replica) applyHeld() {
	for r.broken == nil {
		next := r.chain.Height + 1
		h, ok := r.held[next]
		if !ok {
			break
		}
		if !r.ready(h.d) {
			break
		}
		if r.chain.Check(h.d) != nil {
			r.drop(next)
			break
		}
		r.drop(next)
		r.apply(h.d, false)
	}
	for height := range r.held {
		if height <= r.chain.Height {
			r.drop(height)
		}
	}
}

// apply runs a checked decision on the chain, keeps it, passes it on and tells what it did. own: this node's controller certified it.
func (r *Replica) apply(d *rooms.Decision, own bool) {
	var view rooms.View
	if !r.directory {
		view = r.h.view(d.Header.Dir)
	}
	counter, epoch := r.chain.Machine.Base().Counters[r.h.self], r.chain.Epoch
	r.wakeUp()
	d = d.Above(r.chain.Height) // what is here already stays as it lies: it may lie in a record that reaches further down
	r.mu.Lock()
	events, err := r.chain.Accept(d, view, r.h.sigs.check)
	if err == nil {
		r.cert = d.Cert
		if r.directory {
			r.h.dirAt.Store(r.chain.Height)
		}
	}
	r.mu.Unlock()
	if err != nil {
		// A quorum signed what this node cannot reproduce: going on would show people something else than the others see.
		r.fail(fmt.Errorf("apply a certified decision: %w", err))
		return
	}
	data := rooms.Marshal(d)
	changes := recordOf(r.id, d, data)
	if d.IsTick() {
		r.unpacked = true
	}
	if d.Header.Height%rooms.CheckpointEvery == 0 && r.unpacked && !r.directory {
		r.h.keeping.unless(r.id, func() { changes = append(changes, r.packed(d)...) })
		r.unpacked = false
	}
	if r.ctl != nil || own {
		changes = append(changes, dropSigned(r.id, d.Header.Height)...)
	}
	if d.Header.Height%snapshotEvery == 0 {
		changes = append(changes, r.snapshotChanges()...)
		r.saved = d.Header.Height
		r.retained()
	}
	if d.Header.Height%idSegment == 0 && !r.directory {
		changes = append(changes, r.idChanges(d)...)
	}
	r.h.cfg.Store.WriteLater(changes)
	if r.ctl != nil && !own {
		r.inform(d)
	}
	r.push(data)
	cookies := make([]any, len(events))
	for i := range events {
		if ev := &events[i]; ev.Device == r.h.self {
			w := r.out.find(ev.ID)
			if w != nil {
				cookies[i] = w.cookie
			} else if ev.Op == rooms.OpEnter {
				// It was wished in an earlier life of this node, or given up: nobody here is in the room.
				r.submit(ev.Account, ev.Nick, &rooms.Leave{Reason: restarted, Quit: true}, nil, nil)
			}
		}
	}
	for i := range events {
		r.dispatch(&events[i], cookies[i])
	}
	r.tellTick()
	r.decided(d, counter)
	r.settleRumours(events)
	r.releaseSyncs()
	if r.directory {
		r.h.directoryMoved()
	}
	r.afterDecision(events)
	if r.chain.Epoch != epoch {
		r.turned()
	}
}

// inform tells the controller of a decision that came from others. It must be able to judge what this copy could: the directory may have moved on since
// the controller was last told, and what it has not taken is not told again.
func (r *Replica) inform(d *rooms.Decision) {
	if v := r.newestDir(); v != r.dirSeen {
		r.ctl.DirectoryAt(r.directoryAt, v)
	}
	if err := r.ctl.Certified(d); err != nil {
		r.h.log.Debug("the controller does not take a decision", "room", r.id.Short(), "height", d.Header.Height, "err", err)
	}
}

func (r *Replica) snapshotChanges() []Change {
	return r.snapshotChangesOf(r.chain.Height, r.chain.Snapshot())
}

// snapshotChangesOf keeps the newest snapshot, and the newest one at a height where the controllers sign the state: others may need that one.
func (r *Replica) snapshotChangesOf(at uint64, data []byte) []Change {
	keep := at / snapshotEvery * snapshotEvery
	return []Change{
		{Table: Snapshots, Key: r.id[:], To: roomKey(r.id, keep)},
		{Table: Snapshots, Key: roomKey(r.id, keep+1), To: roomKey(r.id, max(at, keep+1))},
		{Table: Snapshots, Key: roomKey(r.id, at), Value: data},
	}
}

// snapshot writes where the chain stands, so that the next start need not run the log again.
func (r *Replica) snapshot() {
	if r.broken == nil && r.chain.Height > r.saved {
		r.saved = r.chain.Height
		r.h.cfg.Store.WriteLater(r.snapshotChanges())
	}
}

// afterDecision follows what a decision did to the room itself.
func (r *Replica) afterDecision(events []rooms.Event) {
	rights := false
	for i := range events {
		switch events[i].Op {
		case rooms.OpReconfigure:
			r.reconfigured()
		case rooms.OpClose, rooms.OpConfigure:
			r.stew.told = time.Time{} // tell the directory at once
			r.retained()
		}
		rights = rights || events[i].Op != rooms.OpSay
	}
	if rights {
		r.checkReaders()
	}
}

const restarted = "the node was restarted"

// leaveStale takes out occupants that this node brought in before it was restarted: their clients are gone.
func (r *Replica) leaveStale() {
	if r.directory {
		return
	}
	st := r.chain.Machine.(*rooms.State)
	for _, fold := range st.Nicks() {
		o := st.Occupants[fold]
		if slices.Contains(o.Nodes, r.h.self) {
			r.submit(o.Account, o.Nick, &rooms.Leave{Reason: restarted, Quit: true}, nil, nil)
		}
	}
}

// kindError turns a verdict into an error.
func kindError(k errs.Kind) error {
	if k == errs.OK {
		return nil
	}
	return k
}
