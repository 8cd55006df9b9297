package world

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"warren/node/store"
	"warren/rooms"
	"warren/rooms/errs"
	"warren/rooms/placement"
	"warren/rooms/replica"
)

func (w *World) roomName(h *replica.Host, id rooms.RoomID) string {
	name := ""
	h.Directory(func(d *rooms.Directory) { name = "#" + d.Rooms[id].Name })
	if id == h.Dir().ID() {
		return "directory"
	}
	return name
}

// live returns the nodes that run.
func (w *World) live() []*Node {
	return slices.DeleteFunc(w.Nodes(), func(n *Node) bool { return !n.Up() })
}

// Settle waits until the world is at rest: all copies of each room at one head, with as many controllers as it should have, who all have a
// copy, and the directory knowing them.
func (w *World) Settle(d time.Duration) {
	w.t.Helper()
	why := "nothing"
	for end := time.Now().Add(d); why != "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		why = w.unsettled()
	}
	if why != "" {
		w.tell()
		w.t.Fatalf("not at rest after %v: %s", d, why)
	}
}

// unsettled tells what keeps the world from being at rest, "" when nothing does.
func (w *World) unsettled() string {
	live := w.live()
	want := placement.Want(len(live))
	heads := map[rooms.RoomID]replica.Status{}
	copies := map[rooms.RoomID]map[rooms.NodeID]bool{}
	for _, n := range live {
		if up := n.peersUp(); up < linksOf(len(live)) || up > len(live)-1 {
			return n.Name + " does not see the others"
		}
		for _, r := range n.Host().Replicas() {
			s, first := r.Status(), heads[r.ID()]
			switch {
			case s.Broken != nil:
				return fmt.Sprintf("%s on %s: %v", r.ID().Short(), n.Name, s.Broken)
			case first.Height != 0 && (first.Height != s.Height || first.Head != s.Head):
				return "heads of " + r.ID().Short() + " differ"
			case len(s.Controllers) < want:
				return r.ID().Short() + " has too few controllers"
			case s.Leader.IsZero():
				return r.ID().Short() + " has no leader on " + n.Name
			}
			heads[r.ID()] = s
			if copies[r.ID()] == nil {
				copies[r.ID()] = map[rooms.NodeID]bool{}
			}
			copies[r.ID()][n.ID] = true
		}
	}
	h := live[0].Host()
	what := ""
	h.Directory(func(d *rooms.Directory) {
		for id, rec := range d.Rooms {
			if s, ok := heads[id]; ok && !slices.Equal(rec.Now, s.Controllers) {
				what = "the directory does not know the controllers of #" + rec.Name
			}
			for _, c := range rec.Now {
				if !copies[id][c] && !w.parked(c, id) {
					what = w.Name(c) + " has no copy of #" + rec.Name
				}
			}
		}
	})
	return what
}

// parked reports whether a node keeps the room on its disk only.
func (w *World) parked(node rooms.NodeID, id rooms.RoomID) bool {
	for _, n := range w.live() {
		if n.ID == node {
			f, ok := n.Host().Facts(id)
			return ok && f.Parked
		}
	}
	return false
}

// Log is the history of a room as all nodes have it.
type Log struct {
	Name      string
	ID        rooms.RoomID
	Decisions []rooms.Decision // ascending; ticks may lie in the decision above them
	Events    []rooms.Event
	Machine   rooms.Machine // as it is at the end
	Ticks     int
	Copies    int // nodes that hold it, whole or in part
}

// Check reads the disks of all nodes and reports what must not be: two nodes with different headers, requests or verdicts at one height,
// certificates or results that an independent replay does not accept, live copies in another state than it, acknowledged requests that are
// not there exactly once (but for what people left behind who had the room begin anew), epochs that the log does not follow, anything said twice, talk of one user in another order than it was said, and occupants on nodes that do not run.
// The world must be at rest (see Settle). It returns the logs, the directory's first.
func (w *World) Check() []Log {
	w.t.Helper()
	dirID := w.live()[0].Host().Dir().ID()
	dir := w.merge(dirID, "directory")
	genesis := w.live()[0].Host().Genesis()
	d := rooms.NewDirectory(genesis)
	w.replay(&dir, d, nil)
	logs := []Log{dir}
	for _, id := range d.RoomIDs() {
		rec := d.Rooms[id]
		l := w.merge(id, "#"+rec.Name)
		w.replay(&l, rooms.NewState(rec), &dir)
		w.checkOccupants(&l)
		logs = append(logs, l)
	}
	w.checkWishes(logs)
	return logs
}

// merge reads what all nodes have of a room; differences are errors.
func (w *World) merge(id rooms.RoomID, name string) Log {
	w.t.Helper()
	l := Log{Name: name, ID: id}
	top := uint64(0)
	heads, told := map[uint64]rooms.Header{}, map[uint64][]byte{} // by height; what is told besides the header, but for ticks
	for _, n := range w.live() {
		list := w.read(n, id)
		if len(list) == 0 {
			continue
		}
		l.Copies++
		for i := range list {
			d := &list[i]
			other := false
			for _, h := range append(d.TickHeaders(), d.Header) {
				before, known := heads[h.Height]
				heads[h.Height], other = h, other || known && before != h
			}
			if all := slices.Concat(rooms.Marshal(d.Batch), d.Verdicts); !d.IsTick() {
				before, known := told[d.Header.Height]
				told[d.Header.Height], other = all, other || known && !bytes.Equal(before, all)
			}
			if other {
				w.t.Errorf("%s: %s has another decision at height %d than others", name, n.Name, d.Header.Height)
				return l
			}
		}
		if end := list[len(list)-1].Header.Height; end > top {
			top, l.Decisions = end, list
		}
	}
	return l
}

// read returns a room's log on one disk, from height 1 on without a gap.
func (w *World) read(n *Node, id rooms.RoomID) (out []rooms.Decision) {
	w.t.Helper()
	top := uint64(0)
	for {
		from, to := store.HeightKey(id, top+1), store.HeightKey(id, ^uint64(0))
		list, err := n.running().Store().Range(store.Decisions, from, to, 1000)
		if err != nil {
			w.t.Fatalf("read the disk of %s: %v", n.Name, err)
		}
		for _, kv := range list {
			var d rooms.Decision
			if err := rooms.Unmarshal(kv.Value, &d); err != nil || d.Low() != top+1 {
				w.t.Errorf("%s: %s holds height %d where %d belongs (%v)", id.Short(), n.Name, d.Low(), top+1, err)
				return out
			}
			out, top = append(out, d), d.Header.Height
		}
		if len(list) < 1000 {
			return out
		}
	}
}

// replay runs a log anew, checking all certificates and signatures, and compares its end with the live copies.
func (w *World) replay(l *Log, m rooms.Machine, dir *Log) {
	w.t.Helper()
	l.Machine = m
	chain := rooms.NewChain(l.ID, m)
	for i := range l.Decisions {
		d := &l.Decisions[i]
		var view rooms.View
		if dir != nil {
			if d.Header.Dir > uint64(len(dir.Decisions)) {
				w.t.Errorf("%s: height %d names version %d of the directory, which ends at %d", l.Name, d.Header.Height, d.Header.Dir, len(dir.Decisions))
				return
			}
			view = dir.Machine.(*rooms.Directory).At(d.Header.Dir)
			chain.Learn(dir.Machine.(*rooms.Directory).Now())
		}
		if err := chain.Check(d); err != nil {
			w.t.Errorf("%s: height %d: %v", l.Name, d.Header.Height, err)
			return
		}
		if l.Ticks += len(d.TickHeaders()); d.IsTick() {
			l.Ticks++
		}
		events, err := chain.Accept(d, view, rooms.VerifySignature)
		if err != nil {
			w.t.Errorf("%s: %v", l.Name, err)
			return
		}
		l.Events = append(l.Events, events...)
	}
	if rest := chain.Ahead(); len(rest) > 0 {
		w.t.Errorf("%s: the log ends at height %d of epoch %d, the directory has it in epoch %d from height %d on", l.Name, chain.Height, chain.Epoch, rest[0].Epoch, rest[0].Start)
	}
	for _, n := range w.live() {
		r := n.Host().Get(l.ID)
		if r == nil {
			continue
		}
		if height, head := r.Head(); height != chain.Height || head != chain.Head {
			w.t.Errorf("%s: %s stands at height %d, the log ends at %d", l.Name, n.Name, height, chain.Height)
		} else if dir != nil {
			r.View(func(s *rooms.State) {
				if rooms.StateDigest(s) != rooms.StateDigest(m) {
					w.t.Errorf("%s: the state on %s is another than the log gives", l.Name, n.Name)
				}
			})
		}
	}
}

// checkOccupants looks for ghosts.
func (w *World) checkOccupants(l *Log) {
	w.t.Helper()
	st, ok := l.Machine.(*rooms.State)
	if !ok {
		return
	}
	for _, o := range st.Occupants {
		for _, id := range o.Nodes {
			if name := w.Name(id); name == "" || !w.Node(name).Up() {
				w.t.Errorf("%s: %s is still there, on %q, which does not run", l.Name, o.Nick, name)
			}
		}
	}
}

// checkWishes compares what users were told with what is in the logs.
func (w *World) checkWishes(logs []Log) {
	w.t.Helper()
	applied := map[rooms.Hash]int{}     // requests with verdict ok
	said := map[rooms.RoomID][]string{} // talk in order
	for i := range logs {
		for j := range logs[i].Decisions {
			d := &logs[i].Decisions[j]
			for k := range d.Batch.Requests {
				if d.Verdicts.At(k) == errs.OK {
					applied[d.Batch.Requests[k].ID()]++
				}
			}
		}
		for _, ev := range logs[i].Events {
			if b, ok := ev.Body.(*rooms.Say); ok {
				said[ev.Room] = append(said[ev.Room], b.Text)
			}
		}
	}
	place := map[rooms.RoomID]map[string]int{}
	for room, list := range said {
		place[room] = map[string]int{}
		for i, text := range list {
			if before, twice := place[room][text]; twice {
				w.t.Errorf("%s: %q was said once and is in the log twice (%d and %d)", room.Short(), text, before, i)
			}
			place[room][text] = i
		}
	}
	type seat struct {
		user string
		room rooms.RoomID
	}
	last := map[seat]Wish{}
	list := w.Wishes()
	slices.SortStableFunc(list, func(a, b Wish) int { return a.Asked.Compare(b.Asked) })
	for _, wish := range list {
		if wish.Err == nil && applied[wish.ID] != 1 && (applied[wish.ID] > 0 || !leftBehind(logs, wish)) {
			w.t.Errorf("%s: acknowledged to %s on %s at %v but %d times in the log: op %d %q", wish.Room, wish.User, wish.Node,
				wish.Done.Sub(w.began), applied[wish.ID], wish.Op, wish.Text)
		}
		at, there := place[wish.RoomID][wish.Text]
		if wish.Op != rooms.OpSay || !there {
			continue
		}
		k := seat{wish.User, wish.RoomID}
		if before, ok := last[k]; ok && place[wish.RoomID][before.Text] > at {
			w.t.Errorf("%s: %s said %q before %q, the log has them the other way round", wish.Room, wish.User, before.Text, wish.Text)
		}
		last[k] = wish
	}
}

// leftBehind reports whether people had the room begin anew after a wish was acknowledged: what none of the nodes held that they could reach is lost then.
func leftBehind(logs []Log, wish Wish) bool {
	return slices.ContainsFunc(logs, func(l Log) bool {
		return l.ID == wish.RoomID && slices.ContainsFunc(l.Events, func(ev rooms.Event) bool {
			b, ok := ev.Body.(*rooms.Begin)
			return ok && (b.By != "" || b.Proof != nil) && ev.Time >= wish.Done.UnixMilli()
		})
	})
}

// Leader returns the name of the node that leads a room, as its controllers see it, "" when none does or they differ.
func (w *World) Leader(room string) string {
	lead := ""
	for _, n := range w.live() {
		r := n.Room(room)
		if r == nil {
			continue
		}
		s := r.Status()
		if !s.Controls {
			continue
		}
		name := w.Name(s.Leader)
		if name == "" || lead != "" && lead != name {
			return ""
		}
		lead = name
	}
	return lead
}

// Gaps returns the times between acknowledgements in a room, from since on, in order.
func (w *World) Gaps(room string, since time.Time) (gaps []time.Duration) {
	last := time.Time{}
	for _, wish := range w.Wishes() {
		if wish.Room != room || wish.Err != nil || wish.Done.Before(since) {
			continue
		}
		if !last.IsZero() {
			gaps = append(gaps, wish.Done.Sub(last))
		}
		last = wish.Done
	}
	return gaps
}
