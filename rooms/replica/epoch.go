package replica

import (
	"errors"
	"sync"
	"time"

	"warren/rooms"
	"warren/rooms/errs"
)

// How a copy follows the room's epochs. How controllers that cannot certify a height come to a new one by themselves is in statement.go, what people do
// when most of the controllers are gone for ever in recover.go and rescue.go.

// learn tells the chain what the directory shows of the room's epochs, and follows.
func (r *Replica) learn() {
	if r.directory || r.broken != nil {
		return
	}
	r.mu.Lock()
	turned := r.chain.Learn(r.h.view(r.h.dirHeight()))
	r.mu.Unlock()
	r.followEpoch(turned)
}

// followEpoch goes the way to the newest epoch that the chain knows of: back, when the copy holds what was not carried over; on, when it lacks something.
func (r *Replica) followEpoch(turned bool) {
	if _, doubt := r.chain.Doubt(); doubt {
		if err := r.h.settleDoubts(r.chain, &r.mu); err != nil {
			r.fail(err)
			return
		}
	}
	if _, over := r.chain.Overrun(); over {
		turned = r.goBack() || turned
	}
	if turned {
		r.turned()
	}
	ahead := r.chain.Ahead()
	if len(ahead) == 0 {
		return
	}
	r.wakeUp()
	if start, headers := r.chain.Carried(); r.ctl != nil {
		r.ctl.Carry(start, headers)
	}
	r.hurry() // others have what is below the start
}

// turned follows a chain that has come to a new epoch: its controllers begin with raft state of their own.
func (r *Replica) turned() {
	r.h.log.Warn("the room is in a new epoch", "room", r.id.Short(), "epoch", r.chain.Epoch, "start", r.chain.Height)
	r.wakeUp()
	r.dropController()
	r.ending.own, r.ending.people = nil, nil
	r.ending.stall.Reset(r.chain.Height, time.Now())
	r.stew.change, r.stew.gone, r.stew.weighedAt = nil, nil, time.Time{}
	r.recruit = nil
	r.source, r.asked = rooms.NodeID{}, time.Time{}
	r.led = time.Now()
	r.control(false)
	r.renumber()
	r.out.resendSoon()
}

// goBack takes the copy back to the start of an epoch that others have begun below its head: what was decided above it is lost. It blocks on the disk.
func (r *Replica) goBack() (turned bool) {
	r.h.log.Warn("what was decided here is not in the room's new epoch, and is dropped", "room", r.id.Short(), "height", r.chain.Height)
	var chain *rooms.Chain
	var err error
	if r.directory {
		chain, err = r.h.openDirectory()
	} else {
		chain, err = r.h.open(r.id)
	}
	if err != nil {
		r.fail(err)
		return false
	}
	log, err := r.h.loadGap(r.id)
	if err != nil {
		r.fail(err)
		return false
	}
	r.ctl = nil
	r.setLeader(rooms.NodeID{}) // it may lack what is below the start: nobody shall take its word for the head
	clear(r.held)
	r.heldBytes = 0
	before := r.chain.Epoch
	r.mu.Lock()
	r.chain, r.cert = chain, nil
	close(r.log.moved)
	r.log = log
	if r.directory {
		r.h.dirAt.Store(chain.Height)
	}
	r.mu.Unlock()
	r.saved, r.retain = 0, retaining{}
	r.failSyncs(errs.Frozen)
	return chain.Epoch > before
}

// toEpoch brings a chain from the disk to the newest epoch that can be known here, and cuts off what is not in it. load reads the chain anew.
func (h *Host) toEpoch(id rooms.RoomID, load func() (*rooms.Chain, error)) (*rooms.Chain, error) {
	for {
		chain, err := load()
		if err != nil {
			return nil, err
		}
		if err := h.settleDoubts(chain, &sync.Mutex{}); err != nil {
			return nil, err
		}
		start, over := chain.Overrun()
		if !over {
			return chain, nil
		}
		h.cut(id, min(start, chain.Height-1))
	}
}

// settleDoubts has it judged whether the epochs that would take the chain back were made rightfully, before anything is cut off. mu guards the chain.
// It blocks on the disk.
func (h *Host) settleDoubts(chain *rooms.Chain, mu sync.Locker) error {
	for {
		height, doubt := chain.Doubt()
		if !doubt {
			return nil
		}
		rec, err := h.record(chain.Room)
		if err != nil {
			return err
		}
		was, err := h.loadUpTo(chain.Room, height, func() rooms.Machine { return rooms.NewState(rec) })
		switch {
		case errors.Is(err, rooms.ErrGap):
			was = chain // the log does not reach down to there
		case err != nil:
			return err
		}
		mu.Lock()
		chain.Judge(was)
		mu.Unlock()
		h.log.Warn("somebody had the room begin anew below what is here", "room", chain.Room.Short(), "height", height)
	}
}

// cut deletes what the disk holds of a room above a height, but for what its controller promised.
func (h *Host) cut(id rooms.RoomID, height uint64) {
	var changes []Change
	if log, err := h.loadGap(id); err == nil {
		if g := log.Gap; g != nil && !h.stands(id, g.Low, height) {
			height, log.Gap = min(height, g.Low), nil // nothing leads over the gap any more: it is as if it had never been jumped
		}
		if log.Floor > 1 && !h.stands(id, 0, height) {
			height, log.missing = 0, missing{Floor: 1} // nor to what is kept: the copy begins anew, with another's state
		}
		changes = []Change{log.change(id)}
	}
	h.cfg.Store.WriteLater(append(changes, []Change{
		{Table: Decisions, Key: roomKey(id, height+1), To: after(id)},
		{Table: Snapshots, Key: roomKey(id, height+1), To: after(id)},
		{Table: Ids, Key: id[:], To: after(id)},
	}...))
}

// stands reports whether the disk holds a snapshot above one height, and up to another.
func (h *Host) stands(id rooms.RoomID, above, upto uint64) bool {
	if above >= upto {
		return false
	}
	list, err := h.cfg.Store.Range(Snapshots, roomKey(id, above+1), roomKey(id, upto+1), 1, false)
	return err == nil && len(list) > 0
}
