package main

import "warren/rooms"

// The wire format of docs/spec/order.md, for saboteurs: they say what no honest controller can be made to say.
type (
	envelope struct {
		_       struct{} `cbor:",toarray"`
		Version uint8
		Raft    *raftMessage
		Sign    *signMessage
		Cert    *certMessage
		Ask     *heightMessage
		Head    *heightMessage
		Hello   *lifeMessage
		Bye     *lifeMessage
		Commit  *placeMessage
		Ended   uint64
		Submit  *rooms.Request
		Accuse  *accuseMessage
		Mark    *markMessage
		Proof   *proofMessage
		Yield   *yieldMessage
	}
	raftMessage struct {
		_          struct{} `cbor:",toarray"`
		Type       uint8
		From, To   uint64
		Term       uint64
		LogTerm    uint64
		Index      uint64
		Commit     uint64
		Entries    []entry
		Reject     bool
		RejectHint uint64
		Force      bool
		Snapshot   *snapshot
	}
	entry struct {
		_     struct{} `cbor:",toarray"`
		Index uint64
		Term  uint64
		Type  uint8
		Data  []byte
	}
	member struct {
		_           struct{} `cbor:",toarray"`
		Node        rooms.NodeID
		Incarnation uint64
	}
	conf struct {
		_                                        struct{} `cbor:",toarray"`
		Voters, Learners, Outgoing, LearnersNext []member
		AutoLeave                                bool
	}
	snapshot struct {
		_                   struct{} `cbor:",toarray"`
		Index, Term, Height uint64
		Head                rooms.Hash
		Conf                conf
		Reset               bool
	}
	signMessage struct {
		_      struct{} `cbor:",toarray"`
		Height uint64
		Header rooms.Hash
		Sig    []byte
		Again  bool
	}
	certMessage struct {
		_      struct{} `cbor:",toarray"`
		Height uint64
		Header rooms.Hash
		Cert   rooms.Certificate
	}
	heightMessage struct {
		_      struct{} `cbor:",toarray"`
		Height uint64
	}
	lifeMessage struct {
		_           struct{} `cbor:",toarray"`
		Incarnation uint64
		At          int64
	}
	placeMessage struct {
		_           struct{} `cbor:",toarray"`
		Index, Term uint64
	}
	accuseMessage struct {
		_       struct{} `cbor:",toarray"`
		Leader  rooms.NodeID
		Misdeed uint8
	}
	markMessage struct {
		_    struct{} `cbor:",toarray"`
		Mark rooms.Mark
	}
	proofMessage struct {
		_    struct{} `cbor:",toarray"`
		A, B rooms.Mark
	}
	yieldMessage struct {
		_    struct{} `cbor:",toarray"`
		Term uint64
		To   rooms.NodeID
	}
)

// Numbers of raft's messages.
const (
	msgApp         = 3
	msgAppResp     = 4
	msgVote        = 5
	msgVoteResp    = 6
	msgSnap        = 7
	msgHeartbeat   = 8
	msgPreVote     = 17
	msgPreVoteResp = 18
)
