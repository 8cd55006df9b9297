package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/order"
)

// The worst day: most of a room's controllers are gone for ever. Somebody who manages the room has it begin anew from the highest certified state that
// is to be had, at one node first; the room then grows as any other. For the directory that is the holder of the recovery key.

// Survey tells what a recovery would start from.
type Survey struct {
	Epoch       uint64
	Height      uint64
	Controllers []rooms.NodeID
	Silent      []rooms.NodeID // controllers that are not heard
	Frozen      bool           // fewer are heard than a quorum, or they cannot end its epoch by themselves: only then can the room be recovered
}

// Survey looks at a room as this node sees it, after it has fetched what others have of it: it blocks for pullPatience at most for each answer of each
// node that is up, and not beyond the end of ctx.
func (h *Host) Survey(ctx context.Context, id rooms.RoomID, account string) (Survey, error) {
	r, err := h.hold(id)
	if err != nil {
		return Survey{}, err
	}
	h.fetch(ctx, r, account)
	return r.survey()
}

// survey looks at the room as it stands here. errs.NotFound: the directory here does not know it.
func (r *Replica) survey() (s Survey, err error) {
	known := false
	err = r.do(func() {
		var sc *order.Scene
		sc, known = r.scene()
		s = Survey{Epoch: r.chain.Epoch, Height: r.chain.Height, Controllers: slices.Clone(sc.Controllers()), Silent: sc.Silent()}
		s.Frozen = !sc.Quorate() || r.ends(sc) && r.ending.stall.Undecided(sc, time.Now())
	})
	if err == nil && !known && !r.directory {
		err = errs.NotFound
	}
	return s, err
}

// fetch asks every node that is up for what it has of a room above the copy here.
func (h *Host) fetch(ctx context.Context, r *Replica, account string) {
	for _, n := range h.up() {
		for more := true; more && ctx.Err() == nil; {
			height, _ := r.Head()
			sub, cancel := context.WithTimeout(ctx, pullPatience)
			var p pulled
			err := h.pull(sub, n, pull{Room: r.id, For: reader{Account: account}, After: height}, &p)
			cancel()
			if err != nil {
				break
			}
			if r.do(func() {
				for _, b := range p.Decisions {
					d := &rooms.Decision{}
					if rooms.Unmarshal(b, d) == nil {
						r.offer(d, n, len(b))
					}
				}
			}) != nil {
				return
			}
			now, _ := r.Head()
			more = now > height && now < p.Height
		}
	}
}

// Errors of Recover and Rescue.
var (
	ErrNotFrozen   = errors.New("a quorum of the room's controllers is there: it needs no recovery (if it stands still, wait a minute and ask at one of its controllers)")
	ErrNotManager  = errors.New("the account does not manage the room")
	ErrStillThere  = errors.New("the directory's controllers do not all see that the others are gone: try again in some seconds")
	ErrNoDirectory = errors.New("the directory orders recoveries, and too few of its own controllers can be reached: wait for them, or bring the directory back first (warren room recover --directory)")
)

// Recovered tells what a recovery did.
type Recovered struct {
	Epoch   uint64
	Start   uint64 // height from which the room goes on
	Carried int    // of the decisions up to there, how many no certificate was known for
	Of      int    // controllers before
	Silent  []rooms.NodeID
}

// CanRecover says before anything is asked of anybody whether the directory can order the recovery of a room: ErrNoDirectory when it cannot. Rescue helps then.
func (h *Host) CanRecover() error {
	s, err := h.dir.survey()
	if err == nil && s.Frozen {
		err = ErrNoDirectory
	}
	return err
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
	s, err := r.survey()
	if err != nil {
		return out, err
	}
	manages := false
	r.View(func(st *rooms.State) { manages = st.Manages(account, h.Now()) })
	switch {
	case !manages:
		return out, ErrNotManager
	case !s.Frozen:
		return out, ErrNotFrozen
	}
	if err := h.CanRecover(); err != nil {
		return out, err
	}
	if err := r.importAll(ctx); err != nil {
		return out, fmt.Errorf("tell the directory who controls the room: %w", err)
	}
	body, tally, err := r.gatherFor(ctx, account)
	if err != nil {
		return out, err
	}
	if len(tally.Silent) > 0 {
		if body.Silent, err = h.endorseSilent(ctx, id, s.Epoch, account, tally.Silent, body.Below != nil); err != nil {
			return out, err
		}
	}
	if _, err := h.dir.Ask(ctx, account, "", body); err != nil {
		return out, fmt.Errorf("order the new epoch in the directory: %w", err)
	}
	out = Recovered{
		Epoch: body.Epoch, Start: order.Start(body, &tally), Carried: len(body.Carried), Of: len(s.Controllers), Silent: tally.Silent,
	}
	return out, r.awaitEpoch(ctx, out.Epoch, out.Start)
}

// importAll has the directory told of the room's changes of controllers that it does not know yet.
func (r *Replica) importAll(ctx context.Context) error {
	var list []rooms.Body
	if err := r.do(func() {
		if rec, err := r.h.record(r.id); err == nil {
			list = r.imports(rec)
		}
	}); err != nil {
		return err
	}
	for _, b := range list {
		if err := r.h.Order(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// gatherFor asks the controllers that are heard for their statements, until all of them have spoken or order.StatementTime has passed.
func (r *Replica) gatherFor(ctx context.Context, account string) (*rooms.NewEpoch, rooms.Tally, error) {
	end := time.Now().Add(order.StatementTime)
	begun := false
	for {
		var body *rooms.NewEpoch
		var tally rooms.Tally
		var unclear error
		if err := r.do(func() {
			if !begun {
				r.ending.people, begun = order.Gather(r.chain.Epoch, account), true
			}
			sc, ok := r.scene()
			g := r.ending.of(account)
			if !ok || g == nil {
				unclear = errs.Stale // the room is in another epoch by now
				return
			}
			r.mute(sc)
			r.askStatements(sc, g)
			body, tally, unclear = g.Body(sc)
		}); err != nil {
			return nil, tally, err
		}
		if unclear != nil && !errors.Is(unclear, rooms.ErrUnclear) {
			return nil, tally, unclear
		}
		complete := !slices.ContainsFunc(tally.Silent, r.h.alive)
		if complete || time.Now().After(end) {
			return body, tally, nil
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return nil, tally, errs.Timeout
		}
	}
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
