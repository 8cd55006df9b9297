//go:build conform

package conform

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gopkg.in/irc.v4"
)

// TestThings lets WeeChat on node 1 and slixmpp on node 4 make, change and find documents, exits and tags by the bot's commands, each seeing
// what the other did.
func TestThings(t *testing.T) {
	n := startDemo(t)
	n.at(1).account(t, "wally")
	n.at(4).account(t, "xena")
	const room = "#lobby"
	muc := "lobby@" + n.MUC
	wee := startWeeChat(t, n.at(1), "wally", room)
	xena := dialXMPP(t, n.at(4), "xena", "PLAIN")
	xena.join(muc, "xena")
	guest := dialIRC(t, n.at(2), "guest", "")
	guest.join(room)

	guestHears := func(text string) {
		t.Helper()
		guest.wait("the bot's "+text, func(m *irc.Message) bool { return fromBot(m, room) && strings.Contains(m.Trailing(), text) })
	}
	xenaHears := func(text string) {
		t.Helper()
		xena.wait("the bot's "+text, func(e xmppEvent) bool {
			return e.Event == "message" && e.Room == muc && e.Nick == bot && e.Text != nil && strings.Contains(*e.Text, text)
		})
	}

	// Documents: made from IRC, read from XMPP, and the other way round.
	wee.say(room, "!doc put plan We meet on Friday.")
	told := guest.wait("the document as one readable line", func(m *irc.Message) bool { return fromBot(m, room) && strings.Contains(m.Trailing(), "plan") })
	var machine struct {
		Op     string
		By     string
		Object struct{ Kind, Name string }
	}
	if err := json.Unmarshal([]byte(told.Tags["warren/event"]), &machine); err != nil || machine.Op != "put" || machine.By != "wally" ||
		machine.Object.Kind != "document" || machine.Object.Name != "plan" {
		t.Errorf("the machine form of the document is %q: %+v, %v", told.Tags["warren/event"], machine, err)
	}
	told2 := xena.wait("the document as one readable line", func(e xmppEvent) bool {
		return e.Event == "message" && e.Nick == bot && e.Text != nil && strings.Contains(*e.Text, "plan")
	})
	if len(told2.Extra) < 2 {
		t.Errorf("no machine form beside %q: only %v", *told2.Text, told2.Extra)
	}
	if told2.SID != "" && told2.SID != string(told.Tags["msgid"]) {
		t.Errorf("the same event has msgid %q and stanza-id %q", told.Tags["msgid"], told2.SID)
	}
	xena.command(muc, "!doc show plan", "We meet on Friday.")
	xena.command(muc, "!doc put minutes Nobody came.", "minutes")
	wee.sees(room, `xena put document "minutes"`)
	wee.say(room, "!doc show minutes")
	wee.sees(room, "Nobody came.")
	wee.say(room, "!doc edit plan We meet on Monday.")
	wee.sees(room, "(revision 2)")
	xenaHears("(revision 2)")
	xena.command(muc, "!doc show plan", "We meet on Monday.")
	guestHears("(revision 2)")
	guest.command(room, "!doc list", "minutes")
	guest.command(room, "!doc edit plan mine", "right to write")
	xena.command(muc, "!doc rm minutes", "minutes")
	guestHears("xena removed")
	guest.command(room, "!doc show minutes", "no document")

	// An exit, walked through from both sides.
	wee.say(room, "!exit add hall #hall")
	wee.sees(room, "hall")
	guestHears("hall")
	xenaHears("hall")
	guest.command(room, "!exit list", "hall")
	from := guest.mark()
	guest.say(room, "!go hall")
	guest.waitFrom(from, "its own JOIN of #hall", func(m *irc.Message) bool { return m.Command == "JOIN" && m.Param(0) == "#hall" && m.Name == "guest" })
	xena.say(muc, "!go hall")
	xena.wait("an invitation to the hall", func(e xmppEvent) bool { return e.Event == "message" && e.Invited == "hall@"+n.MUC })
	xena.join("hall@"+n.MUC, "xena")
	xena.say("hall@"+n.MUC, "in the hall")
	guest.sees("#hall", "in the hall")

	// Tags, found from other rooms, nodes and protocols.
	wee.say(room, "!tag add plan physics draft")
	wee.sees(room, "physics")
	guestHears("physics")
	xenaHears("physics")
	finder := dialIRC(t, n.at(3), "finder", "")
	finder.join("#elsewhere")
	find := func(expr, want string) []string {
		t.Helper()
		return finder.command("#elsewhere", "!find "+expr, want)
	}
	if got := find("physics AND draft", "plan"); !slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, room) }) {
		t.Errorf("!find does not say where the thing is: %q", got)
	}
	find("physics AND NOT draft", "nothing")
	xena.command("hall@"+n.MUC, "!find (draft OR chemistry) AND physics", "plan")
	xena.command(muc, "!tag rm plan draft", "physics")
	guest.command(room, "!tags", "physics")

	// Who orders it.
	why := guest.command(room, "!why", "signed by")
	if text := strings.Join(why, " "); !strings.Contains(text, "epoch 1") || !strings.Contains(text, "n1") || !strings.Contains(text, "n4") {
		t.Errorf("!why says %q", why)
	}

	// The same in private, and what nobody can have meant.
	from = guest.mark()
	guest.send("PRIVMSG " + bot + " :" + room + " !doc show plan")
	guest.waitFrom(from, "the document in private", func(m *irc.Message) bool {
		return m.Name == bot && m.Param(0) == "guest" && strings.Contains(m.Trailing(), "We meet on Monday.")
	})
	guest.command(room, "!doc put", "usage: !doc put NAME TEXT")
}

func fromBot(m *irc.Message, room string) bool {
	return m.Name == bot && m.Command == "NOTICE" && strings.EqualFold(m.Param(0), room)
}
