package bridge

import (
	"bytes"
	"encoding/json"
	"strings"

	"warren/perms"
	"warren/rooms"
)

// maxMachine bounds the machine form, in bytes: with IRC's escapes it still fits into the 4,094 bytes a server may spend on tags for most
// things; what is longer loses its lists.
const maxMachine = 3000

// machineForm is what Machine writes. Field names are part of the interface for bots: they are only ever added.
type machineForm struct {
	Op      string `json:"op"`
	Room    string `json:"room"`
	Seq     uint64 `json:"seq"`
	Time    int64  `json:"time"`
	ID      string `json:"id"`
	By      string `json:"by"`
	Account string `json:"account,omitempty"`

	Object      *machineObject `json:"object,omitempty"`
	Add         []string       `json:"add,omitempty"`
	Drop        []string       `json:"drop,omitempty"`
	Who         string         `json:"who,omitempty"`
	Mask        string         `json:"mask,omitempty"`
	Allow       []string       `json:"allow,omitempty"`
	Deny        []string       `json:"deny,omitempty"`
	Forget      []string       `json:"forget,omitempty"`
	Until       int64          `json:"until,omitempty"`
	Nick        string         `json:"nick,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Subject     *string        `json:"subject,omitempty"`
	Set         map[string]any `json:"set,omitempty"`
	Gone        []string       `json:"gone,omitempty"`
	Node        string         `json:"node,omitempty"`
	Controllers []string       `json:"controllers,omitempty"`
	Epoch       uint64         `json:"epoch,omitempty"`
	Silent      uint32         `json:"silent,omitempty"`
	Of          uint32         `json:"of,omitempty"`
	Cut         bool           `json:"cut,omitempty"`
}

type machineObject struct {
	ID     string   `json:"id"`
	Kind   string   `json:"kind,omitempty"`
	Name   string   `json:"name,omitempty"`
	Rev    uint64   `json:"rev,omitempty"`
	Owner  string   `json:"owner,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	Target string   `json:"target,omitempty"`
	Type   string   `json:"type,omitempty"`
	Size   int      `json:"size,omitempty"`
}

// Machine returns the event as compact JSON for bots, one line without line breaks:
//
//	{"op":"put","room":"k3jx…","seq":12,"time":1767225600000,"id":"…","by":"alice","account":"alice",
//	 "object":{"id":"…","kind":"document","name":"plan","rev":2,"owner":"alice","tags":["draft"],"size":120}}
//
// Always there: op (enter, leave, nick, subject, configure, grant, sanction, pardon, kick, invite, put, remove, tag, keep, close, node-gone,
// reconfigure, begin), room (the room's id: names are the protocol's matter), seq and time (ms since the Unix epoch) of the ordering, id (the msgid),
// by (nick, account or node of the author). account is missing for guests and nodes. Others by operation:
//
//	put remove tag grant   object {id, kind, name, rev, owner, tags, target (an exit's room, without '#'), type, size (bytes of the text)}
//	                       as it is after the change, or as it was before the removal; without object: the room itself
//	tag                    add, drop: lists of tags
//	grant                  who (a principal, see perms.Principal), allow, deny, forget: lists of rights
//	sanction pardon        who or mask; deny: rights taken; until (ms); reason
//	kick, nick, enter      nick: who was removed, the new nick, the nick of who entered; reason
//	leave                  gone is there when the person is out for good; reason
//	invite                 who
//	subject                subject: the new text, empty when it was taken away
//	configure              set {topic_lock, secret, moderated, invite_only: bool; limit: number; key: whether there is one; title;
//	                       controllers: number; retention: days, 0 for ever; ticks: per second}
//	node-gone              node; gone: nicks
//	reconfigure            controllers: node ids
//
// cut is true when lists and texts were left out because the form became too long. It returns nil for talk and for directory events.
func Machine(ev *rooms.Event) []byte {
	m := machineForm{
		Room: ev.Room.String(), Seq: ev.Seq, Time: ev.Time, ID: ev.ID.MsgID(), By: author(ev), Account: ev.Account, Gone: nicks(ev.Gone),
	}
	if ev.Nick == "" && ev.Account == "" {
		m.By = ev.Device.String()
	}
	if !m.fill(ev) {
		return nil
	}
	out := m.encode()
	if len(out) > maxMachine {
		m.Cut, m.Add, m.Drop, m.Gone, m.Subject, m.Set = true, nil, nil, nil, nil, nil
		if m.Object != nil {
			m.Object.Tags = nil
		}
		out = m.encode()
	}
	return out
}

func (m *machineForm) encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(m) != nil {
		return nil // strings, numbers and lists of them: cannot fail
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// fill sets what belongs to the operation; false: there is no machine form.
func (m *machineForm) fill(ev *rooms.Event) bool {
	switch b := ev.Body.(type) {
	case *rooms.Enter:
		m.Op, m.Nick = "enter", ev.Nick
	case *rooms.Leave:
		m.Op, m.Reason = "leave", b.Reason
	case *rooms.Nick:
		m.Op, m.Nick = "nick", b.New
	case *rooms.Subject:
		m.Op, m.Subject = "subject", &b.Text
	case *rooms.Configure:
		m.Op, m.Set = "configure", settings(b)
	case *rooms.Grant:
		m.Op, m.Who, m.Allow, m.Deny, m.Forget = "grant", string(b.Who), rightList(b.Allow), rightList(b.Deny), rightList(b.Forget)
		m.object(ev, b.Object)
	case *rooms.Sanction:
		m.Op, m.Who, m.Mask, m.Deny, m.Until, m.Reason = "sanction", string(b.Who), b.Mask, rightList(b.Denies), b.Until, b.Reason
	case *rooms.Pardon:
		m.Op, m.Who, m.Mask = "pardon", string(b.Who), b.Mask
	case *rooms.Kick:
		m.Op, m.Nick, m.Reason = "kick", b.Nick, b.Reason
	case *rooms.Invite:
		m.Op, m.Who = "invite", string(b.Who)
	case *rooms.Put:
		m.Op = "put"
		m.object(ev, b.ID)
		if m.Object == nil {
			m.Object = &machineObject{Kind: string(b.Kind), Name: b.Name, Target: b.Target, Type: b.Type, Size: len(b.Text)}
		}
		if ev.Object == nil {
			m.Object.Kind, m.Object.Name, m.Object.Target, m.Object.Type, m.Object.Size = string(b.Kind), b.Name, b.Target, b.Type, len(b.Text)
		}
	case *rooms.Remove:
		m.Op = "remove"
		m.object(ev, b.ID)
	case *rooms.Tag:
		m.Op, m.Add, m.Drop = "tag", b.Add, b.Drop
		m.object(ev, b.ID)
	case *rooms.Keep:
		m.Op = "keep"
	case *rooms.Close:
		m.Op = "close"
	case *rooms.NodeGone:
		m.Op, m.Node = "node-gone", b.Node.String()
	case *rooms.Reconfigure:
		m.Op = "reconfigure"
		for _, n := range b.Controllers {
			m.Controllers = append(m.Controllers, n.String())
		}
	case *rooms.Begin:
		m.Op, m.Epoch, m.Who, m.Silent, m.Of = "begin", b.Epoch, b.By, b.Silent, b.Of
	default:
		return false
	}
	return true
}

func (m *machineForm) object(ev *rooms.Event, id string) {
	o := ev.Object
	switch {
	case o != nil:
		m.Object = &machineObject{
			ID: o.ID, Kind: string(o.Kind), Name: o.Name, Rev: o.Rev, Owner: string(o.Owner), Tags: o.Tags, Target: o.Target, Type: o.Type, Size: len(o.Text),
		}
	case id != "":
		m.Object = &machineObject{ID: id}
	}
}

func rightList(r perms.Rights) []string {
	if r == 0 {
		return nil
	}
	return strings.Split(r.String(), ",")
}

func settings(b *rooms.Configure) map[string]any {
	set := map[string]any{}
	flag := func(name string, v *bool) {
		if v != nil {
			set[name] = *v
		}
	}
	flag("topic_lock", b.TopicLock)
	flag("secret", b.Secret)
	flag("moderated", b.Moderated)
	flag("invite_only", b.InviteOnly)
	if b.Limit != nil {
		set["limit"] = *b.Limit
	}
	if b.Key != nil {
		set["key"] = len(*b.Key) > 0
	}
	if b.Title != nil {
		set["title"] = *b.Title
	}
	if b.Controllers != nil {
		set["controllers"] = *b.Controllers
	}
	if b.Ticks != nil {
		set["ticks"] = *b.Ticks
	}
	if b.Retention != nil {
		set["retention"] = *b.Retention
	}
	return set
}
