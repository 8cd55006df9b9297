package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
	"warren/rooms/order"
)

func TestAControllerThatStaysAwayIsReplacedAndComesBackAsAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.nodes(4)
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		w.grow("n5")
		r := w.enter("n1", id, "ann")
		away := "n3"
		w.kill(away)
		w.eventually("the room and the directory have done with it", 20*time.Minute, func() bool {
			return !slices.Contains(r.Status().Controllers, node(away)) && !slices.Contains(h1.Dir().Status().Controllers, node(away)) &&
				len(r.Status().Controllers) == 4
		})
		for i := range 300 { // more than is kept of raft's log
			w.do(r, "", "ann", &rooms.Say{Text: fmt.Sprint(i)})
		}
		back := w.start(away)
		want, _ := h1.Dir().Head()
		w.eventually("it has caught up with the directory", time.Minute, func() bool {
			got, _ := back.Dir().Head()
			return got >= want
		})
		w.do(w.enter(away, id, "bob"), "", "bob", &rooms.Say{Text: "back"})
	})
}

// TestARoomThatIsCrowdedTakesInAStranger: three of four controllers were let in by the first; a node that another one let in takes the place of one
// of them, in the directory and in a room, though nobody is away.
func TestARoomThatIsCrowdedTakesInAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h1 := w.nodes(4)
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r := w.open("n1", id, "ann")
		w.admitBy("n2", "n5", "somebody else")
		w.start("n5")
		w.eventually("the stranger controls", 5*time.Minute, func() bool {
			a, b := r.Status().Controllers, h1.Dir().Status().Controllers
			return len(a) == 4 && len(b) == 4 && slices.Contains(a, node("n5")) && slices.Contains(b, node("n5"))
		})
		before, _ := r.Head()
		time.Sleep(20 * time.Minute) // virtual: it rests there
		if after, _ := r.Head(); after > before+2 {
			t.Errorf("the room goes on changing: from height %d to %d", before, after)
		}
	})
}

// While a controller was away others took its place; it must not go on believing that it has one.
func TestAReplacedControllerCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.away = 20 * time.Second
		h1 := w.nodes(10)
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby", Temporary: true})
		r1 := w.open("n1", id, "ann")
		defer r1.Watch(func(*rooms.Event, any) {})()
		w.do(r1, "", "ann", &rooms.Enter{})
		first := slices.Clone(r1.Status().Controllers)
		// One after the other goes, n1 excepted, until of those who founded the room none that was away is left.
		var gone []string
		for _, c := range first {
			n := w.name(c)
			if n == "n1" {
				continue
			}
			gone = append(gone, n)
			w.kill(n)
			w.eventually(n+" is replaced", 2*time.Minute, func() bool {
				s := r1.Status()
				known := false
				h1.Directory(func(d *rooms.Directory) { known = slices.Equal(d.Rooms[id].Now, s.Controllers) })
				return known && len(s.Controllers) == 4 && !slices.Contains(s.Controllers, c) && !slices.Contains(h1.Dir().Status().Controllers, c)
			})
		}
		for i := range 10 {
			w.do(r1, "", "ann", &rooms.Say{Text: fmt.Sprint(i)})
		}
		for _, n := range gone {
			h := w.start(n)
			short, stop := context.WithTimeout(t.Context(), 10*time.Second)
			if _, err := h.Open(short, id, "", "bob"); err != nil {
				t.Errorf("%s opens the room: %v", n, err)
			}
			stop()
		}
		w.eventually("all copies stand at the same head", time.Minute, func() bool {
			want, _ := r1.Head()
			dir, _ := h1.Dir().Head()
			for _, h := range w.hosts {
				if d, _ := h.Dir().Head(); d != dir {
					return false
				}
				if r := h.Get(id); r != nil {
					if got, _ := r.Head(); got != want {
						return false
					}
				}
			}
			return true
		})
	})
}

// TestAControllerThatSendsGarbageIsReplaced: it lives and is heard, but all others have seen enough of it.
func TestAControllerThatSendsGarbageIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nodes(4)
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		w.grow("n5")
		r := w.enter("n1", id, "ann")
		w.eventually("all four control it", time.Minute, func() bool {
			for _, n := range []string{"n2", "n3", "n4"} {
				if c := w.hosts[n].Get(id); c == nil || c.Status().Leader.IsZero() {
					return false
				}
			}
			return true
		})
		cheat := w.hosts["n3"]
		junk := rooms.Marshal(frame{Room: id, Kind: frameOrder, Data: []byte("no message at all")})
		for range 40 {
			for _, n := range []string{"n1", "n2", "n4"} {
				for range 10 {
					cheat.cfg.Net.Send(node(n), junk)
				}
			}
			time.Sleep(time.Second) // virtual
		}
		w.eventually("the room has done with it", 5*time.Minute, func() bool {
			now := r.Status().Controllers
			return len(now) == 4 && !slices.Contains(now, node("n3"))
		})
		if list := r.Status().Charges; len(list) == 0 || list[0].Node != node("n3") || list[0].Evidence == "" {
			t.Errorf("what it did is not shown: %+v", list)
		}
	})
}

// TestWhoWasNotDismissedServesOn: a node that was put out while it was down, and may not know, comes back as the controller that it was: the others may
// still need its vote. They tell it when they do not.
func TestWhoWasNotDismissedServesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start("n1")
		id := w.found("", "ann", rooms.CreateRoom{Name: "lobby"})
		r1 := w.enter("n1", id, "ann")
		w.grow("n2", "n3", "n4")
		w.eventually("four controllers for good", 2*time.Minute, func() bool {
			return len(r1.Status().Controllers) == 4 && sealed(w.hosts[w.name(r1.Status().Leader)].Get(id))
		})
		r := w.member(id)
		var conf order.Conf
		for _, n := range append(r.Status().Controllers, node("n5")) {
			conf.Voters = append(conf.Voters, order.Member{Node: n})
		}
		slices.SortFunc(conf.Voters, func(a, b order.Member) int { // as raft's numbers for them
			x, y := sha256.Sum256(a.Node[:]), sha256.Sum256(b.Node[:])
			x[0], y[0] = x[0]&0x7f, y[0]&0x7f
			return bytes.Compare(x[:], y[:])
		})
		height, head := r.Head()
		w.kill("n5")
		for _, rec := range []order.Record{
			{Born: &order.Born{}}, {Snapshot: &order.Snapshot{Index: 2, Term: 1, Height: height, Head: head, Conf: conf}}, {Hard: &order.Hard{Term: 1, Commit: 2}},
		} {
			w.stores["n5"].WriteLater(recordChanges(id, &rec))
		}
		w.start("n5")
		r = w.open("n5", id, "bob")
		controls := func() (yes bool) {
			r.wait(func() { yes = r.ctl != nil })
			return yes
		}
		if !controls() {
			t.Fatal("it does not serve")
		}
		w.eventually("it is dismissed", time.Minute, func() bool { return !controls() })
		w.do(r, "", "bob", &rooms.Enter{})
	})
}
