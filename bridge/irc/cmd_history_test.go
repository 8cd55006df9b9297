package irc

import (
	"strconv"
	"strings"
	"testing"
)

// batch returns the lines of the next batch of that type, and its first line.
func (c *client) batch(kind string) (lines []string, first string) {
	c.w.t.Helper()
	first = c.expect("BATCH +")
	if !strings.Contains(first, kind) {
		c.w.t.Fatalf("%s: %s, want a batch %s", c.name, first, kind)
	}
	for {
		l := c.expect("")
		if strings.Contains(l, "BATCH -") {
			return lines, first
		}
		lines = append(lines, l)
	}
}

// texts are the last words of lines.
func texts(lines []string) string {
	var out []string
	for _, l := range lines {
		out = append(out, l[strings.LastIndexAny(l, ": ")+1:])
	}
	return strings.Join(out, " ")
}

func TestChathistory(t *testing.T) {
	w := newWorld(t)
	caps := []string{"batch", "message-tags", "server-time", "draft/chathistory", "labeled-response", "echo-message", "standard-replies"}
	ann, bob := w.user(0, "ann", caps...), w.user(1, "bob", caps...)
	w.script(`
		ann> JOIN #c
		ann< 366
		bob> JOIN #c
		bob< 366
	`)
	var ids []string
	for i := 1; i <= 9; i++ {
		ann.send("PRIVMSG #c :m" + strconv.Itoa(i))
		l := ann.expect("PRIVMSG #c :m")
		ids = append(ids, tagOf(l, "msgid"))
	}
	ann.send("TOPIC #c :no message", "PRIVMSG bob :d1")
	ann.expect("PRIVMSG bob")
	bob.expect("PRIVMSG bob")
	bob.send("PRIVMSG ann :d2")
	bob.expect("PRIVMSG ann")
	ann.expect("PRIVMSG ann :d2")
	tests := []struct{ ask, want string }{
		{"LATEST #c * 3", "m7 m8 m9"},
		{"LATEST #C msgid=" + ids[6] + " 10", "m8 m9"},
		{"BEFORE #c msgid=" + ids[3] + " 2", "m2 m3"},
		{"AFTER #c msgid=" + ids[3] + " 2", "m5 m6"},
		{"AROUND #c msgid=" + ids[4] + " 3", "m4 m5 m6"},
		{"AROUND #c msgid=" + ids[4] + " 1", "m5"},
		{"BETWEEN #c msgid=" + ids[1] + " msgid=" + ids[4] + " 10", "m3 m4"},
		{"BETWEEN #c msgid=" + ids[8] + " msgid=" + ids[0] + " 2", "m7 m8"},
		{"BEFORE #c timestamp=2001-01-01T00:00:00.000Z 10", ""},
		{"AFTER #c timestamp=2001-01-01T00:00:00.000Z 2", "m1 m2"},
		{"LATEST bob * 10", "d1 d2"},
	}
	for _, tt := range tests {
		ann.send("@label=h CHATHISTORY " + tt.ask)
		lines, first := ann.batch("chathistory")
		if got := texts(lines); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.ask, got, tt.want)
		}
		if tagOf(first, "label") != "h" || strings.HasPrefix(tt.ask, "LATEST #C") && !strings.Contains(first, "chathistory :#c") && !strings.Contains(first, "chathistory #c") {
			t.Errorf("%s: begins with %s", tt.ask, first)
		}
		for i, l := range lines {
			if tagOf(l, "batch") == "" || tagOf(l, "time") == "" || tagOf(l, "msgid") == "" {
				t.Errorf("%s: line %d: %s", tt.ask, i, l)
			}
		}
	}
	bob.send("CHATHISTORY LATEST ann * 10")
	lines, _ := bob.batch("chathistory")
	if len(lines) != 2 || !contains(lines[0], ":ann!~ann@ ... PRIVMSG bob :d1") || !contains(lines[1], ":bob!~bob@ ... PRIVMSG ann :d2") {
		t.Errorf("bob's side: %q", lines)
	}
	ann.send("CHATHISTORY TARGETS timestamp=2001-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 10")
	lines, _ = ann.batch("draft/chathistory-targets")
	if got := strings.Join(lines, "\n"); !contains(got, "CHATHISTORY TARGETS #c ... CHATHISTORY TARGETS bob") {
		t.Errorf("targets: %s", got)
	}
	w.script(`
		ann> CHATHISTORY LATEST #nowhere * 5
		ann< FAIL CHATHISTORY INVALID_TARGET LATEST #nowhere
		ann> CHATHISTORY LATEST nobody * 5
		ann< FAIL CHATHISTORY INVALID_TARGET LATEST nobody
		ann> CHATHISTORY BOGUS #c * 5
		ann< FAIL CHATHISTORY INVALID_PARAMS BOGUS
		ann> CHATHISTORY LATEST #c
		ann< FAIL CHATHISTORY INVALID_PARAMS LATEST
		ann> CHATHISTORY LATEST #c * many
		ann< FAIL CHATHISTORY INVALID_PARAMS LATEST
		ann> CHATHISTORY BEFORE #c msgid=unknown 5
		ann< FAIL CHATHISTORY INVALID_PARAMS BEFORE msgid=unknown
		ann> CHATHISTORY BEFORE #c bogus=1 5
		ann< FAIL CHATHISTORY INVALID_MSGREFTYPE BEFORE
		ann> CAP REQ draft/event-playback
		ann< ACK
		ann> CHATHISTORY LATEST #c * 1
		ann< TOPIC #c :no message
	`)
}

// A history of which a part is still on its way to this node cannot say that somebody named it wrongly.
func TestAGapIsNoWrongReference(t *testing.T) {
	w := newWorld(t)
	w.user(0, "ann", "batch", "draft/chathistory")
	w.script(`
		ann> JOIN #c
		ann< 366`)
	none := strings.Repeat("a", 32)
	w.script(`
		ann> CHATHISTORY BEFORE #c msgid=` + none + ` 10
		ann< FAIL CHATHISTORY INVALID_PARAMS BEFORE msgid=` + none + `
		ann> CHATHISTORY BEFORE #c number=7 10
		ann< FAIL CHATHISTORY INVALID_MSGREFTYPE BEFORE number=7`)
	w.net.Gap(w.hubs[0].Sessions()[0].Seat("c").Room().ID(), true)
	w.script(`
		ann> CHATHISTORY BEFORE #c msgid=` + none + ` 10
		ann< FAIL CHATHISTORY MESSAGE_ERROR BEFORE #c :The history cannot be read now`)
}
