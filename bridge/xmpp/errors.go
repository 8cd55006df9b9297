package xmpp

import (
	"errors"

	"mellium.im/xmpp/stanza"

	"warren/rooms/errs"
)

// stanzaError is an error as a client sees it (RFC 6120 §8.3).
type stanzaError struct {
	kind      string // auth, cancel, continue, modify, wait
	condition stanza.Condition
	text      string
}

func (s stanzaError) Error() string { return string(s.condition) + ": " + s.text }

func (s stanzaError) element() *element {
	e := el(nsClient, "error", at("type", s.kind), el(nsStanzaErr, string(s.condition)))
	if s.text != "" {
		e.with(el(nsStanzaErr, "text", s.text))
	}
	return e
}

// toStanzaError is the one table from kinds of errors to stanza errors.
func toStanzaError(err error) stanzaError {
	var s stanzaError
	if errors.As(err, &s) {
		return s
	}
	k := errs.Of(err)
	s = stanzaError{"cancel", stanza.UndefinedCondition, k.Error()}
	set := func(kind string, condition stanza.Condition) { s.kind, s.condition = kind, condition }
	switch k {
	case errs.Void:
		set("auth", stanza.NotAuthorized)
	case errs.Stale, errs.Exists, errs.NickInUse:
		set("cancel", stanza.Conflict)
	case errs.Denied, errs.Banned:
		set("auth", stanza.Forbidden)
	case errs.NotFound:
		set("cancel", stanza.ItemNotFound)
	case errs.Invalid:
		set("modify", stanza.BadRequest)
	case errs.TooLarge:
		set("modify", stanza.PolicyViolation)
	case errs.Quota, errs.Busy:
		set("wait", stanza.ResourceConstraint)
	case errs.Closed:
		set("cancel", stanza.Gone)
	case errs.InviteOnly:
		set("auth", stanza.RegistrationRequired)
	case errs.NeedKey:
		set("auth", stanza.NotAuthorized)
	case errs.Full:
		set("wait", stanza.ServiceUnavailable)
	case errs.NotHere:
		set("modify", stanza.NotAcceptable)
	case errs.Frozen, errs.Timeout:
		set("wait", stanza.RemoteServerTimeout)
	case errs.Internal:
		set("wait", stanza.InternalServerError)
	}
	return s
}

// errorReply answers a stanza with an error. It keeps id and name and turns the addresses around.
func errorReply(e *element, s stanzaError) *element {
	return el(nsClient, e.Name.Local, at("type", "error"), at("id", e.attr("id")), at("from", e.attr("to")), at("to", e.attr("from")), s.element())
}

// resultOf answers an iq.
func resultOf(iq *element, kids ...*element) *element {
	return el(nsClient, "iq", at("type", "result"), at("id", iq.attr("id")), at("from", iq.attr("to")), at("to", iq.attr("from")), kids)
}
