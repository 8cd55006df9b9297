package search

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"unicode"

	"warren/rooms"
	"warren/search/query"
)

// version is the first field of questions and answers; another one is not understood.
const version = 1

// questionID tells questions of one asker apart: random.
type questionID [16]byte

// question is what is published on tag topics.
type question struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	ID      questionID
	Asker   rooms.NodeID
	Time    int64 // ms, the asker's clock
	Account string
	Nick    string
	Expr    string // canonical
	Sig     []byte // by Asker over digest
}

// digest is what the asker signs: everything but the signature.
func (q *question) digest() []byte {
	bare := *q
	bare.Sig = nil
	h := sha256.New()
	h.Write([]byte("warren/search-question/1\x00"))
	h.Write(rooms.Marshal(bare))
	return h.Sum(nil)
}

// answer is what is sent to the asker.
type answer struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	ID      questionID
	Hits    []wireHit
	More    bool // there was more than fits
}

// wireHit is a hit on its way. The room's name is not in it: the directory knows it.
type wireHit struct {
	_       struct{} `cbor:",toarray"`
	Room    rooms.RoomID
	ID      string
	Kind    string
	Name    string
	Owner   string
	Tags    []string
	Target  string
	Changed int64
}

var (
	errSize    = errors.New("search message: too long")
	errVersion = errors.New("search message: of another version")
	errShape   = errors.New("search message: malformed")
)

// decodeQuestion reads and checks all but the signature, the time and the asker's standing.
func decodeQuestion(data []byte) (q question, e query.Expr, err error) {
	if len(data) > maxQuestion {
		return q, e, errSize
	}
	if err := rooms.Unmarshal(data, &q); err != nil {
		return q, e, err
	}
	switch {
	case q.Version != version:
		return q, e, errVersion
	case len(q.Sig) != ed25519.SignatureSize, len(q.Account) > rooms.MaxName, len(q.Nick) > rooms.MaxName, q.Nick == "", len(q.Expr) > query.MaxInput,
		!plain(q.Account), !plain(q.Nick):
		return q, e, errShape
	}
	if e, err = query.Parse(q.Expr); err != nil {
		return q, e, err
	}
	return q, e, e.CheckAskable()
}

func (q *question) signed() bool { return ed25519.Verify(q.Asker.Public(), q.digest(), q.Sig) }

func decodeAnswer(data []byte) (a answer, err error) {
	if len(data) > maxAnswer {
		return a, errSize
	}
	if err := rooms.Unmarshal(data, &a); err != nil {
		return a, err
	}
	if a.Version != version {
		return a, errVersion
	}
	if len(a.Hits) > maxHits {
		return a, errShape
	}
	for i := range a.Hits {
		if !a.Hits[i].sound() {
			return a, errShape
		}
	}
	return a, nil
}

// sound reports whether a hit could be one of an honest node.
func (h *wireHit) sound() bool {
	if len(h.ID) > 32 || len(h.Name) > rooms.MaxName || h.Name == "" || len(h.Owner) > 2*rooms.MaxName || len(h.Target) > rooms.MaxName ||
		len(h.Tags) > rooms.MaxTags || !plain(h.ID) || !plain(h.Name) || !plain(h.Owner) || !plain(h.Target) || h.Changed < 0 {
		return false
	}
	if !slices.Contains(query.Kinds(), h.Kind) || (h.Kind == kindRoom) != (h.ID == "") {
		return false
	}
	for i, t := range h.Tags {
		if f, err := query.FoldTag(t); err != nil || f != t || i > 0 && h.Tags[i-1] >= t {
			return false
		}
	}
	return true
}

// plain accepts what can be shown on one line; that it is UTF-8 the decoder has checked.
func plain(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }

// encodeAnswer leaves hits out from the end until it fits.
func encodeAnswer(id questionID, hits []Hit, more bool) []byte {
	a := answer{Version: version, ID: id, More: more, Hits: make([]wireHit, 0, len(hits))}
	for _, h := range hits {
		w := wireHit{
			Room: h.RoomID, ID: h.ID, Kind: h.Kind, Name: h.Name, Owner: h.Owner, Tags: h.Tags, Target: h.Target, Changed: h.Changed,
		}
		if w.sound() { // rooms allow names that cannot be shown
			a.Hits = append(a.Hits, w)
		}
	}
	for {
		data := rooms.Marshal(a)
		if len(data) <= maxAnswer {
			return data
		}
		a.Hits, a.More = a.Hits[:len(a.Hits)*3/4], true
	}
}
