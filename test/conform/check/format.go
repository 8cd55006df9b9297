package check

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// The forms on disk, as docs/spec gives them: CBOR arrays, ids and hashes as byte strings of 32.
type (
	decision struct {
		_        struct{} `cbor:",toarray"`
		Header   cbor.RawMessage
		Batch    cbor.RawMessage
		Verdicts []byte
		Cert     []signature
		Ticks    *ticks
	}
	ticks struct {
		_    struct{} `cbor:",toarray"`
		Prev []byte
		List []tick
	}
	tick struct {
		_       struct{} `cbor:",toarray"`
		Time    int64
		Dir     uint64
		Payload []byte
	}
	header struct {
		_        struct{} `cbor:",toarray"`
		Room     []byte
		Epoch    uint64
		Height   uint64
		Prev     []byte
		Time     int64
		Dir      uint64
		Seq      uint64
		Payload  []byte
		Verdicts []byte
		State    []byte
	}
	batch struct {
		_        struct{} `cbor:",toarray"`
		Epoch    uint64
		Term     uint64
		Height   uint64
		Time     int64
		Dir      uint64
		Leader   []byte
		Requests []cbor.RawMessage
		Sig      []byte
	}
	request struct {
		_       struct{} `cbor:",toarray"`
		Room    []byte
		Account string
		Nick    string
		Device  []byte
		Counter uint64
		Dir     uint64
		Op      uint16
		Body    []byte
		Epoch   uint64
		Sig     []byte
	}
	signature struct {
		_    struct{} `cbor:",toarray"`
		Node []byte
		Sig  []byte
	}
	genesis struct {
		_           struct{} `cbor:",toarray"`
		Name        string
		Domain      string
		Founder     []byte
		FounderName string
		Time        int64
		Recovery    []byte
	}
	createRoom struct {
		_           struct{} `cbor:",toarray"`
		Name        string
		Temporary   bool
		Maker       string
		Members     []string
		Controllers [][]byte
	}
	reconfigure struct {
		_           struct{} `cbor:",toarray"`
		Since       uint64
		Controllers [][]byte
		Consents    cbor.RawMessage
		Endorsed    cbor.RawMessage
	}
	witness struct {
		_        struct{} `cbor:",toarray"`
		Room     []byte
		Decision []byte
	}
	newEpoch struct {
		_          struct{} `cbor:",toarray"`
		Room       []byte
		Epoch      uint64
		Statements []statement
		Header     cbor.RawMessage
		Cert       []signature
		Carried    []cbor.RawMessage
		Silent     cbor.RawMessage
		Below      *below
	}
	below struct {
		_       struct{} `cbor:",toarray"`
		Header  cbor.RawMessage
		Above   cbor.RawMessage
		Cert    []signature
		Changes cbor.RawMessage
	}
	statement struct {
		_        struct{} `cbor:",toarray"`
		Node     []byte
		Epoch    uint64
		For      string
		Since    uint64
		Height   uint64
		Head     []byte
		Header   cbor.RawMessage
		Cert     []signature
		Promises cbor.RawMessage
		Sig      []byte
	}
	promise struct {
		_      struct{} `cbor:",toarray"`
		Height uint64
		Header []byte
		Change bool
	}
	begin struct {
		_      struct{} `cbor:",toarray"`
		Epoch  uint64
		By     string
		Silent uint32
		Of     uint32
		Proof  *rescue
	}
	rescue struct {
		_           struct{} `cbor:",toarray"`
		Epoch       uint64
		Start       uint64
		Head        []byte
		Controllers [][]byte
		Sig         []byte
	}
	say struct {
		_    struct{} `cbor:",toarray"`
		Kind uint8
		Text string
		Tags map[string]string
		Ext  []byte
		Ref  string
	}
)

// Operations and verdicts that matter here.
const (
	opSay         = 4
	opReconfigure = 18
	opBegin       = 19
	opCreateRoom  = 69
	opWitness     = 71
	opNewEpoch    = 72

	verdictOK    = 0
	verdictVoid  = 1
	verdictStale = 2
)

// digest is SHA-256 over a domain, a zero byte, and CBOR.
func digest(domain string, encoded []byte) []byte {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write([]byte{0})
	h.Write(encoded)
	return h.Sum(nil)
}

// list encodes values as one canonical CBOR array. It takes what has an encoding: numbers, strings, byte strings.
func list(values ...any) []byte { return encode(values) }

func encode(v any) []byte {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // constant options
	}
	out, err := mode.Marshal(v)
	if err != nil {
		panic(err) // only values of this package come here
	}
	return out
}

// id is the hash that the request is known by.
func (r *request) id() []byte {
	body := digest("warren/body/1", encode(r.Body))
	return digest("warren/request/1", list(r.Room, r.Account, r.Nick, r.Device, r.Counter, r.Dir, r.Op, body))
}

// signed is what the author signs of the request of that id.
func (r *request) signed(id []byte) []byte {
	return digest("warren/request-in-epoch/1", list(id, r.Epoch))
}

// signHash is what the leading controller of a batch signs.
func (b *batch) signHash(room []byte) []byte {
	ids := make([][]byte, len(b.Requests))
	for i, raw := range b.Requests {
		ids[i] = digest("warren/request-in-batch/1", raw)
	}
	return digest("warren/batch/2", list(room, b.Epoch, b.Term, b.Height, b.Time, b.Dir, b.Leader, digest("warren/requests-in-batch/1", encode(ids))))
}

func signed(by, sig, what []byte) bool {
	return len(by) == ed25519.PublicKeySize && len(sig) == ed25519.SignatureSize && ed25519.Verify(by, what, sig)
}

// quorum is how many of n controllers two certificates must have so that they share an honest one.
func quorum(n int) int { return (n+(n-1)/3)/2 + 1 }

func has(nodes [][]byte, n []byte) bool {
	for _, x := range nodes {
		if bytes.Equal(x, n) {
			return true
		}
	}
	return false
}

// text is the form of ids for people: lower-case base32.
func text(b []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

func short(b []byte) string { return fmt.Sprintf("%.8s", text(b)) }
