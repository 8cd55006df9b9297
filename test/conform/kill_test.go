//go:build conform

package conform

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const (
	// between is how many acknowledgements each survivor must get between two blows.
	between = 40
	// maxGap is the longest silence that is borne when a controller dies: about 2 s is the aim, the rest is for a loaded machine.
	maxGap = 6 * time.Second
)

// roomLedBy makes rooms until one is led by one of the wanted nodes, so that a test can choose who dies: who leads first depends on a room's name.
func (n *network) roomLedBy(wanted ...*node) (room string, leader *node) {
	n.t.Helper()
	maker := dialIRC(n.t, wanted[0], "maker", "")
	for k := range 40 {
		room = fmt.Sprintf("#lobby%d", k)
		maker.join(room)
		eventually(n.t, "nobody leads "+room, func() bool { leader = n.leader(room, wanted[0]); return leader != nil })
		if slices.Contains(wanted, leader) {
			return room, leader
		}
	}
	n.t.Fatal("of 40 rooms none is led by a wanted node")
	return "", nil
}

// caughtUp waits until the node knows what another one knew of the room when it was asked first.
func caughtUp(t testing.TB, room string, behind, ahead *node) {
	t.Helper()
	want, ok := ahead.room(room)
	if !ok {
		t.Fatalf("%s has no copy of %s", ahead.Name, room)
	}
	eventually(t, fmt.Sprintf("%s did not catch up to height %d of %s", behind.Name, want.Height, room), func() bool {
		got, ok := behind.room(room)
		return ok && got.Height >= want.Height && slices.Contains(got.Controllers, behind.ID)
	})
}

// TestKill kills the node of the leading controller, then the node of somebody who is talking, then two nodes at once, while clients of both
// protocols talk: they stay connected and in the room, nothing that was acknowledged is lost, doubled or swapped, and the killed nodes come
// back, catch up and are needed for the quorum of the next step.
func TestKill(t *testing.T) {
	n := startDemo(t)
	n.at(1).account(t, "wally")
	n.at(4).account(t, "xena")
	room, leader := n.roomLedBy(n.at(2), n.at(3))
	watcher := dialIRC(t, n.at(1), "watcher", "")
	watcher.join(room)
	sender := n.at(5 - indexOf(n, leader)) // n3 when n2 leads, n2 when n3 does
	muc := room[1:] + "@" + n.MUC
	t.Logf("%s leads %s; %s is the sender's node", leader.Name, room, sender.Name)

	wee := startWeeChat(t, n.at(1), "wally", room)
	xena := dialXMPP(t, n.at(4), "xena", "PLAIN")
	xena.join(muc, "xena")
	probe := func(x *node, nick string) *prober {
		c := dialIRC(t, x, nick, "")
		c.join(room)
		return startProber(t, nick, &ircSpeaker{ircClient: c, room: room})
	}
	near, far := probe(n.at(1), "near"), probe(n.at(4), "far")
	atLeader, atSender := probe(leader, "atleader"), probe(sender, "atsender")
	slow := startProber(t, "xena", &xmppSpeaker{xmppClient: xena, room: muc})
	survivors := []*prober{near, far, slow}
	talkOn := func() {
		t.Helper()
		wee.say(room, fmt.Sprintf("wally is still here after %d", near.acks.Load()))
		for _, p := range survivors {
			p.more(t, between)
		}
	}
	gap := func(what string, since time.Time) {
		t.Helper()
		for _, p := range survivors {
			g := p.gap(since)
			t.Logf("%s: %s waited at most %d ms for an acknowledgement", what, p.name, g.Milliseconds())
			if g > maxGap {
				t.Errorf("%s: %s waited %v, more than %v", what, p.name, g, maxGap)
			}
		}
	}
	talkOn()

	blow := time.Now()
	leader.kill(t)
	talkOn()
	gap("kill -9 of the leading controller "+leader.Name, blow)
	if now := n.leader(room, n.at(1)); now == nil || now == leader {
		t.Errorf("after the death of %s, n1 sees as leader of %s: %v", leader.Name, room, now)
	}
	t.Logf("%s listens %d ms after its restart", leader.Name, leader.restart(t).Milliseconds())
	caughtUp(t, room, leader, n.at(1))

	blow = time.Now()
	sender.kill(t) // the three others are just a quorum: the restarted one controls again
	talkOn()
	gap("kill -9 of the sender's node "+sender.Name, blow)
	sender.restart(t)
	caughtUp(t, room, sender, n.at(1))
	talkOn()

	blow = time.Now()
	leader.kill(t)
	sender.kill(t)
	t.Logf("%s and %s are killed together: two of four controllers are left", leader.Name, sender.Name)
	sender.restart(t)
	leader.restart(t)
	talkOn()
	gapOfTwo := near.gap(blow)
	t.Logf("both at once: near waited at most %d ms, their restart included", gapOfTwo.Milliseconds())
	caughtUp(t, room, sender, n.at(1))
	caughtUp(t, room, leader, n.at(1))

	for _, p := range survivors {
		p.stop()
	}
	wee.say(room, "wally says goodbye")
	watcher.sees(room, "wally says goodbye")
	wee.sees(room, "wally says goodbye")
	xena.sees(muc, "wally says goodbye")
	farClient := far.s.(*ircSpeaker).ircClient
	farClient.sees(room, "wally says goodbye")

	here := watcher.names(room)
	for _, nick := range []string{"watcher", "wally", "xena", "near", "far"} {
		if !slices.Contains(here, nick) {
			t.Errorf("%s is not in the room any more: %v", nick, here)
		}
	}
	reference := watcher.talk(room)
	t.Logf("%d messages in %s", len(reference), room)
	for _, p := range []*prober{near, far, slow, atLeader, atSender} {
		onceInOrder(t, "watcher", starting(reference, p.name+" counts"), p.acknowledged())
	}
	mine := func(list []said, first string) []said { // from the first message that all have seen
		i := slices.IndexFunc(list, func(m said) bool { return m.text == first })
		return list[max(i, 0):]
	}
	first := near.acknowledged()[0]
	for i := range reference { // the clients came one after the other
		if reference[i].text == "xena counts 0" {
			first = reference[i].text
		}
	}
	want := mine(reference, first)
	sameOrder(t, "far", mine(farClient.talk(room), first), "watcher", want)
	sameOrder(t, "slixmpp", mine(xena.talk(muc), first), "watcher", want)
	// WeeChat shows what is provisional where it came, and says nothing of the place that it was given.
	early := watcher.provisional(room)
	t.Logf("%d messages were provisional at %s", len(early), n.at(1).Name)
	settled := func(list []said) []said {
		return slices.DeleteFunc(without(list, "wally"), func(m said) bool { return slices.Contains(early, m.text) })
	}
	seen := without(mine(wee.talk(room), first), "wally")
	onceInOrder(t, "WeeChat", seen, nil)
	for _, text := range early {
		if !slices.ContainsFunc(wee.talk(room), func(m said) bool { return m.text == text }) {
			t.Errorf("WeeChat did not see %q, which was provisional", text)
		}
	}
	sameOrder(t, "WeeChat", settled(seen), "watcher", settled(want))

	for _, x := range []*node{leader, sender} {
		c := dialIRC(t, x, "reader"+x.Name, "")
		c.join(room)
		sameOrder(t, "CHATHISTORY on "+x.Name+", which was killed", mine(c.history(room), reference[0].text), "watcher", reference)
	}
	late := dialXMPP(t, leader, "xena", "PLAIN")
	late.join(muc, "xena") // a second device of hers
	sameOrder(t, "the archive (XEP-0313) on "+leader.Name+", which was killed", mine(late.archive(muc), reference[0].text), "watcher", reference)

	n.stop()
	logged := n.check().Room(room[1:])
	if logged == nil {
		t.Fatalf("the disks know no room %s", room)
	}
	var onDisk []said
	for _, m := range logged.Messages {
		onDisk = append(onDisk, said{id: m.ID, nick: m.Nick, text: m.Text})
	}
	sameOrder(t, "the log on disk", mine(onDisk, reference[0].text), "watcher", reference)
}
