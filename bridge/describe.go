package bridge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"warren/perms"
	"warren/rooms"
)

// Limits of what Describe says: the line must fit into one IRC line beside its frame.
const (
	maxDescribed = 400 // bytes of the whole line
	maxListed    = 8   // names of one list; more are counted
)

// Describe returns one readable line of what an ordered event did, for people. It is empty for talk, and for what each protocol shows in its
// own way (Enter, Leave, Nick, Subject), and for directory events. The line holds no control characters and at most some 400 bytes. Events
// of a history (see rooms.Decision.TalkEvents) name things by what their bodies tell. node is how people know a node: see Hub.NodeName.
func Describe(ev *rooms.Event, node func(rooms.NodeID) string) string {
	line := describe(ev, node)
	if line == "" {
		return ""
	}
	return cut(flat(line), maxDescribed)
}

func describe(ev *rooms.Event, node func(rooms.NodeID) string) string {
	by := author(ev)
	switch b := ev.Body.(type) {
	case *rooms.Put:
		return by + " " + describePut(ev, b)
	case *rooms.Remove:
		return by + " removed " + thing(ev, b.ID)
	case *rooms.Tag:
		return by + " " + describeTag(ev, b)
	case *rooms.Keep:
		return by + " made the room permanent"
	case *rooms.Close:
		return "the room is closed: nobody was here for a while"
	case *rooms.Configure:
		return by + " " + describeSettings(b)
	case *rooms.Grant:
		return by + " " + describeGrant(ev, b)
	case *rooms.Sanction:
		return by + " " + describeSanction(b)
	case *rooms.Pardon:
		return by + " lifted the sanctions of " + whom(b.Who, b.Mask)
	case *rooms.Kick:
		return by + " removed " + b.Nick + " from the room" + because(b.Reason)
	case *rooms.Invite:
		return by + " invited " + People(b.Who)
	case *rooms.NodeGone:
		line := "node " + node(b.Node) + " cannot be reached any more"
		if gone := nicks(ev.Gone); len(gone) > 0 {
			line += ": " + list(gone) + " left"
		}
		return line
	case *rooms.Reconfigure:
		var names []string
		for _, n := range b.Controllers {
			names = append(names, node(n))
		}
		slices.Sort(names)
		if len(names) == 1 {
			return "the room's controller is now " + names[0]
		}
		return "the room's controllers are now " + list(names)
	case *rooms.Begin:
		return describeBegin(b)
	}
	return ""
}

// describeBegin tells of a break in the room's history, and what it may have cost.
func describeBegin(b *rooms.Begin) string {
	if b.By == "" {
		return fmt.Sprintf("the room's controllers disagreed and began anew (epoch %d): nothing that was acknowledged is lost", b.Epoch)
	}
	return fmt.Sprintf("%s recovered the room (epoch %d): %d of its %d controllers did not answer, so what was said last before this may be lost",
		b.By, b.Epoch, b.Silent, b.Of)
}

func describePut(ev *rooms.Event, b *rooms.Put) string {
	rev := ""
	if ev.Object != nil {
		rev = " (revision " + strconv.FormatUint(ev.Object.Rev, 10) + ")"
	}
	switch {
	case b.Kind == rooms.Exit && b.ID == "":
		return fmt.Sprintf("made an exit %q to #%s", b.Name, b.Target)
	case b.Kind == rooms.Exit:
		return fmt.Sprintf("changed exit %q: it leads to #%s", b.Name, b.Target)
	case b.ID == "":
		return fmt.Sprintf("put %s %q", b.Kind, b.Name) + rev
	}
	return fmt.Sprintf("changed %s %q", b.Kind, b.Name) + rev
}

func describeTag(ev *rooms.Event, b *rooms.Tag) string {
	var parts []string
	if len(b.Add) > 0 {
		parts = append(parts, "tagged "+thing(ev, b.ID)+": "+list(b.Add))
	}
	if len(b.Drop) > 0 {
		parts = append(parts, "took tags off "+thing(ev, b.ID)+": "+list(b.Drop))
	}
	return strings.Join(parts, ", ")
}

func describeSettings(b *rooms.Configure) string {
	var parts []string
	say := func(v *bool, yes, no string) {
		switch {
		case v == nil:
		case *v:
			parts = append(parts, yes)
		default:
			parts = append(parts, no)
		}
	}
	say(b.TopicLock, "only those who may sanction change the subject", "everyone who may talk changes the subject")
	say(b.Secret, "the room is secret", "the room is listed")
	say(b.Moderated, "only those with the right by name may talk", "everyone may talk")
	say(b.InviteOnly, "entering needs an invitation", "everyone may enter")
	if b.Limit != nil {
		if *b.Limit == 0 {
			parts = append(parts, "no limit of occupants")
		} else {
			parts = append(parts, fmt.Sprintf("at most %d occupants", *b.Limit))
		}
	}
	if b.Key != nil {
		if len(*b.Key) == 0 {
			parts = append(parts, "no password")
		} else {
			parts = append(parts, "a new password")
		}
	}
	if b.Title != nil {
		parts = append(parts, fmt.Sprintf("title %q", *b.Title))
	}
	if b.Controllers != nil {
		if *b.Controllers == 0 {
			parts = append(parts, "as many controllers as the network's size says")
		} else {
			parts = append(parts, fmt.Sprintf("%d controllers", *b.Controllers))
		}
	}
	if b.Ticks != nil {
		if *b.Ticks == 0 {
			parts = append(parts, "no ticks")
		} else {
			parts = append(parts, fmt.Sprintf("%d ticks per second", *b.Ticks))
		}
	}
	if b.Retention != nil {
		if *b.Retention == 0 {
			parts = append(parts, "what is said is kept for ever")
		} else {
			parts = append(parts, "what is said is kept for "+Days(*b.Retention))
		}
	}
	if len(parts) == 0 {
		return "changed no setting"
	}
	return "set: " + strings.Join(parts, "; ")
}

// Days is a number of days in words.
func Days(n uint16) string {
	if n == 1 {
		return "1 day"
	}
	return fmt.Sprintf("%d days", n)
}

func describeGrant(ev *rooms.Event, b *rooms.Grant) string {
	who, on := People(b.Who), ""
	if b.Object != "" {
		on = " on " + thing(ev, b.Object)
	}
	var parts []string
	if b.Allow != 0 {
		parts = append(parts, "gave "+who+" the right to "+rightsText(b.Allow)+on)
	}
	if b.Deny != 0 {
		parts = append(parts, "denied "+who+" the right to "+rightsText(b.Deny)+on)
	}
	if b.Forget != 0 {
		parts = append(parts, "took back what was said of "+who+" and the right to "+rightsText(b.Forget)+on)
	}
	if len(parts) == 0 {
		return "changed no right of " + who + on
	}
	return strings.Join(parts, ", ")
}

func describeSanction(b *rooms.Sanction) string {
	what := "took from " + whom(b.Who, b.Mask) + " the right to " + rightsText(b.Denies)
	switch {
	case b.Denies.Has(perms.Enter):
		what = "banned " + whom(b.Who, b.Mask)
	case b.Denies == perms.Say:
		what = "silenced " + whom(b.Who, b.Mask)
	}
	if b.Until > 0 {
		what += " until " + time.UnixMilli(b.Until).UTC().Format("2006-01-02 15:04 UTC")
	}
	return what + because(b.Reason)
}

// author is who did it, as people read it.
func author(ev *rooms.Event) string {
	switch {
	case ev.Nick != "":
		return ev.Nick
	case ev.Account != "":
		return ev.Account
	}
	return "node " + ev.Device.Short()
}

// thing names what the event is about: the object when the event knows it, the room for the empty id.
func thing(ev *rooms.Event, id string) string {
	switch {
	case id == "":
		return "the room"
	case ev.Object != nil && ev.Op == rooms.OpRemove:
		return fmt.Sprintf("%s %q", ev.Object.Kind, ev.Object.Name)
	case ev.Object != nil:
		return strconv.Quote(ev.Object.Name)
	}
	return "thing " + id
}

// People returns a principal in words: "everyone" for everyone, "group staff" for a group, the nick of a guest, the name of an account.
func People(p perms.Principal) string {
	switch {
	case p == perms.Everyone:
		return "everyone"
	case p == perms.Registered:
		return "everyone with an account"
	case p.IsGroup():
		return "group " + string(p[1:])
	case p.IsGuest():
		return "guest " + p.Display()
	case p.IsNode():
		return "node " + string(p[1:min(len(p), 9)])
	}
	return string(p)
}

func whom(p perms.Principal, mask string) string {
	if p == "" {
		return mask
	}
	return People(p)
}

func rightsText(r perms.Rights) string { return strings.ReplaceAll(r.String(), ",", ", ") }

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func nicks(list []rooms.Occupant) []string {
	var out []string
	for _, o := range list {
		out = append(out, o.Nick)
	}
	slices.Sort(out)
	return out
}

// list joins names with commas; of long lists the rest is counted.
func list(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}

// flat makes one line of s: control characters and line separators become spaces.
func flat(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// cut shortens s to at most limit bytes at a character's border.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := limit - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
