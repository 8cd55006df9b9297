package rooms

import (
	"math"
	"testing"

	"warren/rooms/errs"
)

// reconfigure makes the request's body for the room's next step, endorsed by these nodes, with the consents of all new controllers.
func (w *world) reconfigure(c *Chain, to []NodeID, by ...string) *Reconfigure {
	b := &Reconfigure{Since: c.Machine.Base().Since, Controllers: to}
	for _, n := range []string{"n1", "n2", "n3", "n4", "stranger"} {
		b.Consents = append(b.Consents, MakeConsent(c.Room, b.Since, c.Height, key(n)))
	}
	b.Endorsed = w.endorse(c, KindReconfigure, b.Thing(), by...)
	return b
}

func (w *world) endorse(c *Chain, kind string, thing Hash, by ...string) []Endorsement {
	var out []Endorsement
	for _, n := range by {
		out = append(out, Endorse(c.Room, kind, thing, w.now, key(n)))
	}
	return out
}

func (w *world) gone(node string, by ...string) *NodeGone {
	b := &NodeGone{Node: id(node)}
	b.Endorsed = w.endorse(w.room, KindNodeGone, b.Thing(), by...)
	return b
}

func TestReconfigure(t *testing.T) {
	all := ids("n1", "n2", "n3", "n4")
	with := func(f func(*world, *Reconfigure)) func(*world) Body {
		return func(w *world) Body {
			b := w.reconfigure(w.room, ids("n1", "n2", "n3"), "n1", "n2", "n3")
			f(w, b)
			return b
		}
	}
	tests := map[string]struct {
		body func(*world) Body
		want errs.Kind
	}{
		"three of four endorse it":           {with(func(*world, *Reconfigure) {}), errs.OK},
		"two of four are too few":            {with(func(_ *world, b *Reconfigure) { b.Endorsed = b.Endorsed[:2] }), errs.Denied},
		"one who endorses twice counts once": {with(func(_ *world, b *Reconfigure) { b.Endorsed[2] = b.Endorsed[0] }), errs.Denied},
		"more endorsements than controllers": {with(func(_ *world, b *Reconfigure) { b.Endorsed = append(b.Endorsed, b.Endorsed[0], b.Endorsed[1]) }), errs.Denied},
		"a stranger's does not count":        {func(w *world) Body { return w.reconfigure(w.room, ids("n1"), "n1", "n2", "stranger") }, errs.Denied},
		"endorsements of another set":        {with(func(_ *world, b *Reconfigure) { b.Controllers = ids("n1", "n2") }), errs.Denied},
		"endorsements of another step":       {with(func(_ *world, b *Reconfigure) { b.Since-- }), errs.Stale},
		"endorsements of another kind": {with(func(w *world, b *Reconfigure) {
			b.Endorsed = w.endorse(w.room, KindNodeGone, b.Thing(), "n1", "n2", "n3")
		}), errs.Denied},
		"endorsements of another room": {with(func(w *world, b *Reconfigure) {
			b.Endorsed = w.endorse(w.dir, KindReconfigure, b.Thing(), "n1", "n2", "n3")
		}), errs.Denied},
		"endorsements that are too old":  {with(func(w *world, _ *Reconfigure) { w.now += endorsementLife + 1 }), errs.Denied},
		"endorsements just young enough": {with(func(w *world, _ *Reconfigure) { w.now += endorsementLife }), errs.OK},
		"endorsements of the far future": {with(func(w *world, b *Reconfigure) {
			w.now += endorsementLife + 1
			b.Endorsed = w.endorse(w.room, KindReconfigure, b.Thing(), "n1", "n2", "n3")
			w.now -= endorsementLife + 1
		}), errs.Denied},
		"endorsements of the beginning of time": {with(func(w *world, b *Reconfigure) {
			now := w.now
			w.now = math.MinInt64 + start - 1
			b.Endorsed = w.endorse(w.room, KindReconfigure, b.Thing(), "n1", "n2", "n3")
			w.now = now
		}), errs.Denied},
		"nobody is left":  {func(w *world) Body { return w.reconfigure(w.room, nil, "n1", "n2", "n3") }, errs.Invalid},
		"nothing changes": {func(w *world) Body { return w.reconfigure(w.room, all, "n1", "n2", "n3") }, errs.Invalid},
		"not sorted":      {func(w *world) Body { return w.reconfigure(w.room, []NodeID{all[1], all[0]}, "n1", "n2", "n3") }, errs.Invalid},
		"one node twice":  {func(w *world) Body { return w.reconfigure(w.room, []NodeID{all[1], all[1]}, "n1", "n2", "n3") }, errs.Invalid},
		"more than there may be": {func(w *world) Body {
			return w.reconfigure(w.room, ids("a", "b", "c", "d", "e", "f", "g", "h"), "n1", "n2", "n3")
		}, errs.Invalid},
		"who is not in the network": {func(w *world) Body { return w.reconfigure(w.room, ids("n1", "stranger"), "n1", "n2", "n3") }, errs.NotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(w.room, n1, w.reconfigure(w.room, all, "n1"))
			if kind, _ := w.do(w.room, n1, tt.body(w)); kind != tt.want {
				t.Errorf("got %v, want %v", kind, tt.want)
			}
		})
	}
}

func TestNewcomersConsentToThisStepOfThisRoom(t *testing.T) {
	w := newWorld(t)
	to := ids("n1", "n2")
	b := w.reconfigure(w.room, to, "n1")
	for name, consents := range map[string][]Consent{
		"none":            nil,
		"of another node": {MakeConsent(w.room.Room, 0, 0, key("n3"))},
		"of another step": {MakeConsent(w.room.Room, 1, 0, key("n2"))},
		"of another room": {MakeConsent(w.dir.Room, 0, 0, key("n2"))},
		"altered":         {func() Consent { c := MakeConsent(w.room.Room, 0, 0, key("n2")); c.Height++; return c }()},
	} {
		b.Consents = consents
		if kind, _ := w.do(w.room, n1, b); kind != errs.Denied {
			t.Errorf("%s: got %v", name, kind)
		}
	}
	b.Consents = []Consent{MakeConsent(w.room.Room, 0, 0, key("n2"))}
	kind, _ := w.do(w.room, n1, b)
	if kind != errs.OK || w.state().B.Since != w.room.Height {
		t.Errorf("got %v, since %d at height %d", kind, w.state().B.Since, w.room.Height)
	}
	w.refused(errs.Stale, n1, b) // the same step again
}

func TestAReconfigurationStandsAlone(t *testing.T) {
	w := newWorld(t)
	b := w.reconfigure(w.room, ids("n1", "n2"), "n1")
	if v, _ := w.run(w.room, w.request(w.room, n1, b), w.request(w.room, zed, &Enter{})); v.At(0) != errs.Invalid || v.At(1) != errs.OK {
		t.Errorf("got %v: the directory could never be shown that it happened", v)
	}
}

func TestNodeGone(t *testing.T) {
	w := newWorld(t).in(alice, who{"alice", "alice", "n2"}, bob, zed)
	w.must(w.room, n1, w.reconfigure(w.room, ids("n1", "n3", "n4"), "n1"))
	w.refused(errs.Denied, n1, w.gone("n2", "n1"))
	w.refused(errs.Denied, n1, w.gone("n2", "n1", "n2"))
	first := w.gone("n2", "n1", "n3")
	w.refused(errs.Denied, n1, &NodeGone{Node: id("n3"), Endorsed: first.Endorsed})
	ev := w.must(w.room, n1, first)
	if len(ev.Gone) != 1 || ev.Gone[0].Nick != "bob" {
		t.Errorf("gone: %+v", ev.Gone)
	}
	if o, ok := w.state().Occupant("alice"); !ok || len(o.Nodes) != 1 {
		t.Errorf("alice is still there from her other node: %+v", o)
	}
	w.in(bob) // his node is back
	w.now += 10
	w.refused(errs.Denied, n1, first) // said once, good once
	mixed := w.gone("n2", "n4")
	mixed.Endorsed = append(mixed.Endorsed, first.Endorsed...)
	w.refused(errs.Denied, n1, mixed)
	w.must(w.room, n1, w.gone("n2", "n1", "n4"))
	w.now += 3 * endorsementLife
	w.must(w.room, n1, w.gone("n3", "n1", "n4"))
	if n := len(w.state().Gone); n != 1 {
		t.Errorf("%d nodes are remembered as gone", n)
	}
}
