package archive

import (
	"cmp"
	"slices"

	"warren/perms"
	"warren/rooms"
	"warren/rooms/errs"
)

// Report is what a sound file proves: this is a history of the room in the network, up to the height.
type Report struct {
	Genesis   rooms.Genesis
	Network   rooms.Hash
	Room      rooms.RoomID
	Name      string          // without '#'
	Maker     perms.Principal // empty: the network itself
	Founded   int64           // ms
	Directory uint64          // height of the directory's log

	// From is the lowest height whose decision is in the file, Base the height from whose state on the log was run: 0 and 1, but where the room has
	// let go what was before. What lies between From and Base has its order, its certificates and its authors checked, and was not run.
	From, Base  uint64
	Height      uint64
	Epoch       uint64
	Head        rooms.Hash     // of the header at Height
	Time        int64          // ms, of that header
	Events      uint64         // of the room since its founding
	Refused     uint64         // requests that were ordered, but refused
	Signatures  uint64         // of controllers, in the room's certificates
	Ticks       uint64         // of which no more than the header is there: the signatures of what lies above hold for them
	Digests     uint64         // headers that carry the state's digest
	Changes     uint64         // of controllers
	Rights      uint64         // changes of rights: grants, sanctions, pardons, settings
	Beginnings  []Beginning    // epochs after the first one, as far as their beginnings are in the file
	Controllers []rooms.NodeID // in force at the end
	Closed      bool
}

// Beginning is where an epoch of the room begins. What people recovered may lack what was ordered last before it; what the controllers began anew by
// themselves lacks nothing that was certified.
type Beginning struct {
	Height, Epoch uint64
	By            string // the account that recovered the room; empty: the controllers themselves
	Silent, Of    uint32 // how many of the controllers before gave no statement, of how many
}

func (r *Report) count(d *rooms.Decision, events []rooms.Event) {
	r.Signatures += uint64(len(d.Cert))
	r.Ticks += d.Header.Height - d.Low()
	if !d.Header.State.IsZero() {
		r.Digests++
	}
	for i := range d.Verdicts {
		if d.Verdicts.At(i) != errs.OK {
			r.Refused++
		}
	}
	for i := range events {
		switch events[i].Op {
		case rooms.OpReconfigure:
			r.Changes++
		case rooms.OpBegin:
			if b, ok := events[i].Body.(*rooms.Begin); ok {
				r.Beginnings = append(r.Beginnings, Beginning{Height: d.Header.Height, Epoch: b.Epoch, By: b.By, Silent: b.Silent, Of: b.Of})
			}
		case rooms.OpGrant, rooms.OpSanction, rooms.OpPardon, rooms.OpConfigure:
			r.Rights++
		}
	}
}

func (r *Report) end(c *rooms.Chain) {
	base := c.Machine.Base()
	r.Height, r.Epoch, r.Head, r.Time, r.Events = c.Height, c.Epoch, c.Head, c.Time, base.Seq
	r.Controllers = append(r.Controllers, base.Controllers...)
	slices.SortFunc(r.Beginnings, func(a, b Beginning) int { return cmp.Compare(a.Height, b.Height) }) // what is below a first state comes downwards
	if s, ok := c.Machine.(*rooms.State); ok {
		r.Closed = s.Closed
	}
}
