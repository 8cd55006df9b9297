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
	_, doubt := r.chain.Doubt()
	if doubt {
		switch err := r.h.settleDoubts(r.chain, &r.mu); {
		case errors.Is(err, errUnjudged):
			if r.ctl != nil {
				r.h.log.Warn("the room stands still here until its history is complete", "room", r.id.Short(), "height", r.chain.Height)
			}
			r.ctl = nil // what it would sign now may be in no epoch
			r.setLeader(rooms.NodeID{})
			return
		case err != nil:
			r.fail(err)
			return
		}
	}
	if _, over := r.chain.Overrun(); over {
		turned = r.goBack() || turned
	} else if doubt {
		r.control(true)
	}
	if turned {
		r.turned()
	}
	ahead := r.chain.Ahead()
	if len(ahead) == 0 {
		return
	}
	r.wakeUp()
	if r.ctl != nil {
		r.ctl.Carry(r.chain.Carried())
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
		switch err := h.settleDoubts(chain, &sync.Mutex{}); {
		case errors.Is(err, errUnjudged):
			return chain, nil // nothing is cut off before it is judged
		case err != nil:
			return nil, err
		}
		start, over := chain.Overrun()
		if !over {
			return chain, nil
		}
		h.cut(id, min(start, chain.Height-1))
	}
}

// errUnjudged says that this node lacks the part of a room's log by which the right to an epoch is judged.
var errUnjudged = errors.New("the room's log does not reach down to where it would begin anew")

// settleDoubts has it judged whether the epochs that would take the chain back were made rightfully, before anything is cut off. mu guards the chain.
// It blocks on the disk. errUnjudged: that has to wait until the log's gap is filled; another state than the one that everybody judges by may say
// something else. What was let go (retain.go) does not come back: an epoch that begins so far below is refused.
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
		log, err := h.loadGap(chain.Room)
		if err != nil {
			return err
		}
		if g := log.Gap; g != nil && height > g.Low && !h.stands(chain.Room, g.Low, height) {
			return errUnjudged
		}
		was, err := h.loadUpTo(chain.Room, height, func() rooms.Machine { return rooms.NewState(rec) })
		switch {
		case err != nil && !errors.Is(err, rooms.ErrGap):
			return err
		case err == nil && was.Height == height:
			mu.Lock()
			chain.Judge(was)
			mu.Unlock()
		case log.Floor > 1:
			mu.Lock()
			chain.Refuse()
			mu.Unlock()
		default:
			return errUnjudged
		}
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
	changes = append(changes, []Change{
		{Table: Decisions, Key: roomKey(id, height+1), To: after(id)},
		{Table: Snapshots, Key: roomKey(id, height+1), To: after(id)},
		{Table: Ids, Key: id[:], To: after(id)},
	}...)
	if d, err := h.covering(id, height); err == nil && d != nil {
		if left := d.UpTo(height); left != nil { // perhaps nobody holds these ticks in another way
			changes = append(changes, recordOf(id, left, rooms.Marshal(left))...)
		}
	}
	h.cfg.Store.WriteLater(changes)
}

// stands reports whether the disk holds a snapshot above one height, and up to another.
func (h *Host) stands(id rooms.RoomID, above, upto uint64) bool {
	if above >= upto {
		return false
	}
	list, err := h.cfg.Store.Range(Snapshots, roomKey(id, above+1), roomKey(id, upto+1), 1, false)
	return err == nil && len(list) > 0
}
