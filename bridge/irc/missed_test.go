package irc

import (
	"runtime"
	"testing"
)

// What was said to an account while none of its clients was here comes at the next login, once; clients that can fetch it do that themselves.
func TestWhatWasMissedComesAtLogin(t *testing.T) {
	w := newWorld(t)
	ann, bob := w.user(0, "ann"), w.user(1, "bob")
	ann.send("PRIVMSG NickServ :REGISTER secret1")
	ann.expect("You are now logged in")
	back := func(name string, caps ...string) *client {
		t.Helper()
		c := w.connect(0, name)
		c.send("CAP LS 302", "CAP REQ :sasl")
		for _, k := range caps {
			c.send("CAP REQ :" + k)
		}
		c.send("AUTHENTICATE PLAIN", "AUTHENTICATE AGFubgBzZWNyZXQx", "NICK ann", "USER ann 0 * :Ann", "CAP END")
		c.expect("001 ann")
		return c
	}
	away := func(c *client, text string) {
		t.Helper()
		c.send("QUIT")
		bob.expect("QUIT")
		bob.send("PRIVMSG ann :"+text, "PRIVMSG ann :\x01ACTION waves\x01")
		bob.sync()
		for now := w.nodes[0].Now(); w.nodes[0].Now() == now; { // the clock has ms
			runtime.Gosched()
		}
	}
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
	`)
	away(ann, "first")
	c := back("plain")
	c.expect(":bob!~bob@ ... PRIVMSG ann :[20 ... UTC] first")
	c.expect("PRIVMSG ann :\x01ACTION [20 ... UTC] waves")
	w.script("plain> JOIN #c\nplain< 366")
	away(c, "second")
	c = back("timed", "server-time")
	c.expect("@time=20 ... :bob!~bob@ ... PRIVMSG ann :second")
	c.expect("ACTION waves")
	other := back("other")
	bob.send("PRIVMSG ann :now")
	other.expect("PRIVMSG ann :now")
	other.none("second")
	other.send("QUIT")
	other.expect("ERROR")
	w.script("timed> JOIN #c\ntimed< 366")
	away(c, "third")
	c = back("fetches", "draft/chathistory", "batch", "server-time", "message-tags")
	bob.send("PRIVMSG ann :again")
	c.expect("PRIVMSG ann :again")
	c.none("third")
	c.send("CHATHISTORY LATEST bob * 3")
	c.expect("BATCH +", "third", "waves", "again")
}
