package bootstrap

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"warren/rooms"
)

// First byte of a request. 0 is taken: the overlay answers it with the network's id and name.
const (
	kindInvited = 1 // the newcomer shows an invitation
	kindKnock   = 2 // the newcomer asks, and asks again until somebody has admitted it
)

// Limits of what newcomers send.
const (
	MaxNodeName = 32   // bytes of a node's name
	maxLabel    = 64   // bytes of a node's label
	maxAddrs    = 8    // addresses of a newcomer
	maxAddr     = 256  // bytes of one address
	maxLink     = 4096 // bytes of an invitation: invite.MaxLink
)

// ErrMessage says that a request or an answer makes no sense.
var ErrMessage = errors.New("malformed admission message")

// Request is what a newcomer says. Its key is known from the connection.
type Request struct {
	Link  string   // the invitation; empty: it knocks and waits for somebody to admit it
	Name  string   // what the node shall be called; may be empty, at most 32 bytes
	Label string   // its host or site, for placement; may be empty, at most 64 bytes
	Addrs []string // where it listens, with peer id; at most 8
}

type wireRequest struct {
	_     struct{} `cbor:",toarray"`
	Link  string
	Name  string
	Addrs []string
	Label string
}

// Encode returns the bytes for the admission protocol.
func (r Request) Encode() []byte {
	kind := byte(kindKnock)
	if r.Link != "" {
		kind = kindInvited
	}
	return append([]byte{kind}, rooms.Marshal(wireRequest{Link: r.Link, Name: r.Name, Addrs: r.Addrs, Label: r.Label})...)
}

// DecodeRequest reads what Encode wrote, within the limits. The link is not checked: see invite.Parse.
func DecodeRequest(b []byte) (Request, error) {
	if len(b) == 0 || b[0] != kindInvited && b[0] != kindKnock {
		return Request{}, fmt.Errorf("%w: unknown kind", ErrMessage)
	}
	var w wireRequest
	if err := rooms.Unmarshal(b[1:], &w); err != nil {
		return Request{}, fmt.Errorf("%w: %v", ErrMessage, err)
	}
	if (b[0] == kindInvited) != (w.Link != "") || len(w.Link) > maxLink {
		return Request{}, fmt.Errorf("%w: invitation of %d bytes", ErrMessage, len(w.Link))
	}
	if !printable(w.Name, MaxNodeName) {
		return Request{}, fmt.Errorf("%w: the node's name must have at most %d printable bytes", ErrMessage, MaxNodeName)
	}
	if !printable(w.Label, maxLabel) {
		return Request{}, fmt.Errorf("%w: the node's label must have at most %d printable bytes", ErrMessage, maxLabel)
	}
	if err := checkAddrs(w.Addrs); err != nil {
		return Request{}, err
	}
	return Request{Link: w.Link, Name: w.Name, Addrs: w.Addrs, Label: w.Label}, nil
}

// State says how far an admission has come.
type State uint8

// The states.
const (
	Pending  State = iota // knock again later, with the same key
	Admitted              // the directory lists the newcomer
)

// Answer is what a member says to a newcomer. Refusals are errors of the admission protocol, in words.
type Answer struct {
	State State
	Addrs []string // members to connect to, with peer id; at most 8
	Data  []byte   // admitted: what the newcomer needs to follow the directory, in the consumer's own format; pending: see Member
}

// Pend returns the answer of a member of this name to a knock.
func Pend(member string) Answer { return Answer{State: Pending, Data: []byte(member)} }

// Member returns the name of the node that gave a pending answer, as it says; empty when it says none that can be shown.
func (a Answer) Member() string {
	if a.State != Pending || !printable(string(a.Data), MaxNodeName) {
		return ""
	}
	return string(a.Data)
}

type wireAnswer struct {
	_     struct{} `cbor:",toarray"`
	State State
	Addrs []string
	Data  []byte
}

// Encode returns the bytes for the admission protocol.
func (a Answer) Encode() []byte {
	return rooms.Marshal(wireAnswer{State: a.State, Addrs: a.Addrs, Data: a.Data})
}

// DecodeAnswer reads what Encode wrote, within the limits.
func DecodeAnswer(b []byte) (Answer, error) {
	var w wireAnswer
	if err := rooms.Unmarshal(b, &w); err != nil {
		return Answer{}, fmt.Errorf("%w: %v", ErrMessage, err)
	}
	if w.State > Admitted {
		return Answer{}, fmt.Errorf("%w: unknown state %d; the other node may be newer", ErrMessage, w.State)
	}
	if err := checkAddrs(w.Addrs); err != nil {
		return Answer{}, err
	}
	return Answer{State: w.State, Addrs: w.Addrs, Data: w.Data}, nil
}

// Word is what a member tells the others of a knock, so that any of them can answer it.
type Word struct {
	Node    rooms.NodeID // who knocks
	Request Request      // without a link
}

// Encode returns the bytes for a frame between members.
func (w Word) Encode() []byte { return append(w.Node[:], w.Request.Encode()...) }

// DecodeWord reads what Encode wrote, within the limits.
func DecodeWord(b []byte) (Word, error) {
	var w Word
	if len(b) < len(w.Node) {
		return w, fmt.Errorf("%w: word of a knock in %d bytes", ErrMessage, len(b))
	}
	var err error
	w.Node = rooms.NodeID(b[:len(w.Node)])
	if w.Request, err = DecodeRequest(b[len(w.Node):]); err != nil {
		return w, err
	}
	if w.Request.Link != "" {
		return w, fmt.Errorf("%w: a knock with an invitation", ErrMessage)
	}
	return w, nil
}

func checkAddrs(addrs []string) error {
	if len(addrs) > maxAddrs {
		return fmt.Errorf("%w: %d addresses, at most %d are allowed", ErrMessage, len(addrs), maxAddrs)
	}
	for _, a := range addrs {
		if !printable(a, maxAddr) || !strings.HasPrefix(a, "/") {
			return fmt.Errorf("%w: address %.80q", ErrMessage, a)
		}
	}
	return nil
}

// printable says whether s is text that is safe on a terminal.
func printable(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
