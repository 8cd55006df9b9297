package irc

import (
	"strconv"
	"sync"

	"warren/rooms/errs"
)

// reply is the answer to one command of a client. For a labelled command it makes one logical answer of all lines (IRCv3
// labeled-response): nothing is ACK, one line carries the label, several come in a batch. Safe for concurrent use: parts of the answer may come
// from the goroutines of rooms.
type reply struct {
	c     *conn
	label string // empty: lines go out as they come

	mu    sync.Mutex
	holds int
	buf   []*line
	ref   string // open batch
	over  bool   // the answer is complete
}

// begin returns the answer to a command; the caller releases it once.
func (c *conn) begin(label string) *reply { return &reply{c: c, label: label, holds: 1} }

// hold says that a part of the answer comes later; release that it came.
func (r *reply) hold() {
	r.mu.Lock()
	r.holds++
	r.mu.Unlock()
}

func (r *reply) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holds--; r.holds > 0 || r.over {
		return
	}
	r.over = true
	switch {
	case r.ref != "":
		r.shut()
	case r.label == "":
	case len(r.buf) == 0:
		r.c.answer(&line{source: r.c.srv.cfg.Name, command: "ACK", label: r.label})
	case len(r.buf) == 1 || !r.c.have().has(capBatch):
		r.buf[0].label = r.label
		for _, l := range r.buf {
			r.c.answer(l)
		}
	default:
		buf := r.buf
		r.open("labeled-response")
		for _, l := range buf {
			r.out(l)
		}
		r.shut()
	}
	r.buf = nil
}

// stream makes lines go out at once, in a batch for a labelled command: for answers that must keep their place among the events of rooms.
func (r *reply) stream() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.label == "" || r.ref != "" || r.over || !r.c.have().has(capBatch) {
		return
	}
	buf := r.buf
	r.open("labeled-response")
	for _, l := range buf {
		r.out(l)
	}
	r.buf = nil
}

// batch opens a batch of another type as the whole answer; the lines sent after it are in it.
func (r *reply) batch(params ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c.have().has(capBatch) && r.ref == "" {
		r.open(params...)
	}
}

func (r *reply) open(params ...string) {
	r.ref = "b" + strconv.FormatUint(r.c.refs.Add(1), 36)
	r.c.answer(&line{source: r.c.srv.cfg.Name, command: "BATCH", params: append([]string{"+" + r.ref}, params...), label: r.label})
}

func (r *reply) shut() {
	r.c.answer(&line{source: r.c.srv.cfg.Name, command: "BATCH", params: []string{"-" + r.ref}})
	r.ref = ""
}

func (r *reply) out(l *line) {
	in := *l
	in.batch = r.ref
	r.c.answer(&in)
}

// send adds a line to the answer.
func (r *reply) send(l *line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ref != "":
		r.out(l)
	case r.label == "" || r.over:
		r.c.answer(l)
	case l.need&^r.c.have() == 0 && l.lack&r.c.have() == 0:
		own := *l
		r.buf = append(r.buf, &own)
	}
}

// num adds a numeric to the answer.
func (r *reply) num(code string, params ...string) {
	r.send(&line{source: r.c.srv.cfg.Name, command: code, params: append([]string{r.c.target()}, params...)})
}

// notice adds a NOTICE of the server.
func (r *reply) notice(text string) {
	r.send(&line{source: r.c.srv.cfg.Name, command: "NOTICE", params: []string{r.c.target(), text}})
}

// fail adds a FAIL (IRCv3 standard-replies), or a NOTICE for clients that do not know it: who asked for a capability whose commands answer by
// FAIL knows it for them. The last parameter is the sentence.
func (r *reply) fail(command, code string, context ...string) {
	have := r.c.have()
	knows := have.has(capStandardReplies)
	switch command {
	case "CHATHISTORY":
		knows = knows || have.has(capChathistory)
	case "REGISTER", "VERIFY":
		knows = knows || have.has(capRegistration)
	}
	if knows {
		r.send(&line{source: r.c.srv.cfg.Name, command: "FAIL", params: append([]string{command, code}, context...)})
		return
	}
	r.notice(command + ": " + context[len(context)-1])
}

// failed tells what became of a command about a channel or nick.
func (r *reply) failed(command, about string, err error) {
	k := errs.Of(err)
	for _, e := range errorTable() {
		if e.kind != k || e.command != "" && e.command != command {
			continue
		}
		if e.fail != "" {
			r.fail(command, e.fail, middle(about), e.text)
		} else {
			r.num(e.numeric, middle(about), e.text)
		}
		return
	}
	r.fail(command, "INTERNAL_ERROR", middle(about), "Something went wrong here: try again, or ask the node's operator")
}
