//go:build conform

package conform

import (
	"fmt"
	"sync"
	"testing"
)

// Shares of the 500 interleaved messages.
const (
	byWeeChat = 75
	bySlixmpp = 75
	byEach    = 70 // of 5 small IRC clients
)

// TestTalk has WeeChat on node 1 and slixmpp on node 4 in one room, beside IRC clients on all nodes: both directions, then 500 messages that
// all say at the same time and all see in the same order, with the same ids in both protocols, live and in the history.
func TestTalk(t *testing.T) {
	n := startDemo(t)
	n.at(1).account(t, "wally")
	n.at(1).account(t, "xena") // made on node 1, logs in on node 4
	const room = "#lobby"
	muc := "lobby@" + n.MUC
	wee := startWeeChat(t, n.at(1), "wally", room)
	xena := dialXMPP(t, n.at(4), "xena", "PLAIN")
	xena.join(muc, "xena")
	var guests []*ircClient
	for i := range 5 {
		g := dialIRC(t, n.at(i%4+1), fmt.Sprintf("g%d", i+1), "")
		g.join(room)
		guests = append(guests, g)
	}

	wee.say(room, "hello from WeeChat")
	fromIRC := xena.sees(muc, "hello from WeeChat")
	if fromIRC.nick != "wally" {
		t.Errorf("slixmpp saw WeeChat's message as said by %q", fromIRC.nick)
	}
	xena.say(muc, "hello from slixmpp")
	wee.sees(room, "xena\thello from slixmpp")
	fromXMPP := xena.sees(muc, "hello from slixmpp")
	for _, m := range []said{fromIRC, fromXMPP} {
		if got := guests[1].sees(room, m.text); got.id != m.id || m.id == "" {
			t.Errorf("%q has IRC msgid %q and XMPP stanza-id %q", m.text, got.id, m.id)
		}
	}

	sendXMPP(t, n.at(4), "xena", muc, "hello from go-sendxmpp")
	guests[0].sees(room, "hello from go-sendxmpp")

	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range byWeeChat {
			wee.say(room, fmt.Sprintf("wally says %d", i))
		}
	})
	wg.Go(func() {
		for i := range bySlixmpp {
			xena.say(muc, fmt.Sprintf("xena says %d", i))
		}
	})
	for _, g := range guests {
		wg.Go(func() {
			for i := range byEach {
				g.say(room, fmt.Sprintf("%s says %d", g.nick, i))
			}
		})
	}
	wg.Wait()

	all := 2 + 1 + byWeeChat + bySlixmpp + len(guests)*byEach
	for _, g := range guests {
		eventually(t, g.nick+" did not see all messages", func() bool { return len(g.talk(room)) >= all })
	}
	eventually(t, "slixmpp did not see all messages", func() bool { return len(xena.talk(muc)) >= all })
	reference := guests[0].talk(room)
	eventually(t, "WeeChat did not show all messages", func() bool { return len(wee.talk(room)) >= all })
	for _, g := range guests[1:] {
		sameOrder(t, g.nick, g.talk(room), guests[0].nick, reference)
	}
	sameOrder(t, "slixmpp", xena.talk(muc), guests[0].nick, reference)
	sameOrder(t, "WeeChat", without(wee.talk(room), "wally"), guests[0].nick, without(reference, "wally"))
	for who, count := range map[string]int{"wally": byWeeChat, "xena": bySlixmpp, "g1": byEach, "g2": byEach, "g3": byEach, "g4": byEach, "g5": byEach} {
		var want []string
		for i := range count {
			want = append(want, fmt.Sprintf("%s says %d", who, i))
		}
		onceInOrder(t, guests[0].nick, reference, want)
	}
	sameOrder(t, "CHATHISTORY on n2", guests[1].history(room), guests[0].nick, reference)
	sameOrder(t, "the archive (XEP-0313) on n4", xena.archive(muc), guests[0].nick, reference)

	n.stop()
	if logged := n.check().Room("lobby"); logged == nil {
		t.Error("the disks know no room lobby")
	} else {
		var onDisk []said
		for _, m := range logged.Messages {
			onDisk = append(onDisk, said{id: m.ID, nick: m.Nick, text: m.Text})
		}
		sameOrder(t, "the log on disk", onDisk, guests[0].nick, reference)
	}
}
