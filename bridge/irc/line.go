package irc

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ergochat/irc-go/ircmsg"
)

// line is one message to a client, with all tags it could have; which of them go out depends on the client's capabilities.
type line struct {
	source  string
	command string
	params  []string

	time    int64  // ms; 0: none
	msgid   string // network-wide, IRCv3 message-ids
	account string
	bot     bool
	client  map[string]string // client-only tags without '+'
	machine string            // JSON, tag warren/event
	label   string
	batch   string
	stage   string // tag warren/provisional, warren/confirmed or warren/withdrawn: what the line says of a provisional message
	about   string // its msgid, when the line is not the message itself

	need caps // only to clients with all of these
	lack caps // only to clients with none of these
}

// bytes returns the line for a client with these capabilities; nothing when it is not for such a client.
func (l *line) bytes(have caps) []byte {
	if have&l.need != l.need || have&l.lack != 0 {
		return nil
	}
	params := make([]string, len(l.params))
	for i, p := range l.params {
		params[i] = oneLine(p)
		if i < len(params)-1 {
			params[i] = middle(params[i])
		}
	}
	m := ircmsg.MakeMessage(nil, l.source, l.command, params...)
	if l.plainEnd() {
		m.ForceTrailing()
	}
	if l.time != 0 && have.has(capServerTime) {
		m.SetTag("time", serverTime(l.time))
	}
	if l.account != "" && have.has(capAccountTag) {
		m.SetTag("account", l.account)
	}
	if l.batch != "" && have.has(capBatch) {
		m.SetTag("batch", l.batch)
	}
	if l.label != "" && have.has(capLabeledResponse) {
		m.SetTag("label", l.label)
	}
	if have.has(capMessageTags) {
		if l.msgid != "" {
			m.SetTag("msgid", l.msgid)
		}
		if l.bot {
			m.SetTag("bot", "")
		}
		if l.machine != "" && len(l.machine) < 3000 {
			m.SetTag("warren/event", l.machine)
		}
		if l.stage != "" {
			m.SetTag(l.stage, l.about)
		}
		for k, v := range l.client {
			m.SetTag("+"+k, v)
		}
	}
	b, err := m.LineBytesStrict(false, maxLine)
	if err != nil && !errors.Is(err, ircmsg.ErrorBodyTooLong) {
		if len(l.client) > 0 || l.machine != "" { // tags of others that cannot be sent: the message still can
			bare := *l
			bare.client, bare.machine = nil, ""
			return bare.bytes(have)
		}
		return nil
	}
	return b
}

// plainEnd reports whether the last parameter is text, for which simple clients want the colon.
func (l *line) plainEnd() bool {
	switch l.command {
	case "PRIVMSG", "NOTICE", "TOPIC", "QUIT", "KICK", "ERROR", "PING", "PONG", "CAP", "AWAY", "SETNAME", "FAIL", "WHO":
		return true
	case "PART":
		return len(l.params) > 1
	case "JOIN":
		return len(l.params) > 2
	case "221", "324", "329", "333", "341", "367", "900":
		return false
	}
	return len(l.command) == 3
}

// serverTime writes ms since the epoch as IRCv3 server-time.
func serverTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// parseServerTime reads it back.
func parseServerTime(s string) (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UnixMilli(), err == nil
}

// oneLine makes text of others fit into one parameter.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n\x00") {
		s = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\x00", "").Replace(s)
	}
	return s
}

// middle makes a parameter that is not the last one: not empty, no spaces, no colon first.
func middle(s string) string {
	if s == "" {
		return "*"
	}
	if s[0] == ':' || strings.ContainsAny(s, " \r\n\x00") {
		s = strings.TrimLeft(strings.NewReplacer(" ", "_", "\r", "", "\n", "_", "\x00", "").Replace(s), ":")
		if s == "" {
			return "*"
		}
	}
	return s
}

// splitText cuts text into pieces of at most room bytes: at every newline, and at spaces or between characters where a piece is too long.
// Empty lines are left out.
func splitText(text string, room int) []string {
	room = max(room, utf8.UTFMax)
	var out []string
	for _, l := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n") {
		for len(l) > room {
			n := room
			for !utf8.RuneStart(l[n]) {
				n--
			}
			if i := strings.LastIndexByte(l[:n], ' '); i > room/2 {
				out = append(out, l[:i])
				l = l[i+1:]
				continue
			}
			out = append(out, l[:n])
			l = l[n:]
		}
		if l != "" {
			out = append(out, l)
		}
	}
	return out
}

// cutText shortens s to at most n bytes at a character.
func cutText(s string, n int) string { return ircmsg.TruncateUTF8Safe(s, n) }
