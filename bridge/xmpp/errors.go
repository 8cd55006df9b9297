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

func toStanzaError(err error) stanzaError {
	var s stanzaError
	if errors.As(err, &s) {
		return s
	}
	k := errs.Of(err)
	s.kind, s.condition = conditionOf(k)
	s.text = k.Error()
	return s
}

// conditionOf is the one table from kinds of errors to types and conditions of stanza errors.
func conditionOf(k errs.Kind) (kind string, condition stanza.Condition) {
	switch k {
	case errs.Void, errs.NeedKey:
		return "auth", stanza.NotAuthorized
	case errs.Stale, errs.Exists, errs.NickInUse:
		return "cancel", stanza.Conflict
	case errs.Denied, errs.Banned:
		return "auth", stanza.Forbidden
	case errs.NotFound:
		return "cancel", stanza.ItemNotFound
	case errs.Invalid:
		return "modify", stanza.BadRequest
	case errs.TooLarge:
		return "modify", stanza.PolicyViolation
	case errs.Quota, errs.Busy:
		return "wait", stanza.ResourceConstraint
	case errs.Closed:
		return "cancel", stanza.Gone
	case errs.InviteOnly:
		return "auth", stanza.RegistrationRequired
	case errs.Full:
		return "wait", stanza.ServiceUnavailable
	case errs.NotHere:
		return "modify", stanza.NotAcceptable
	case errs.Frozen, errs.Timeout:
		return "wait", stanza.RemoteServerTimeout
	case errs.Internal:
		return "wait", stanza.InternalServerError
	}
	return "cancel", stanza.UndefinedCondition
}

// errorReply answers a stanza with an error. It keeps id and name and turns the addresses around.
func errorReply(e *element, s stanzaError) *element {
	return el(nsClient, e.Name.Local, at("type", "error"), at("id", e.attr("id")), at("from", e.attr("to")), at("to", e.attr("from")), s.element())
}

// resultOf answers an iq.
func resultOf(iq *element, kids ...*element) *element {
	return el(nsClient, "iq", at("type", "result"), at("id", iq.attr("id")), at("from", iq.attr("to")), at("to", iq.attr("from")), kids)
}
