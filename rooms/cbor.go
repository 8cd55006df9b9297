package rooms

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Limits of what is decoded. They bound memory and work for bytes that come from anybody.
const (
	MaxRequest  = 96 << 10  // bytes of one encoded request: a document of 64 KiB and its frame
	MaxBatch    = 512 << 10 // bytes of the requests of one batch
	MaxRequests = 512       // requests of one batch
	maxNesting  = 16
	maxItems    = 1 << 17 // elements of one array or map: a snapshot of a large room
	maxCounters = 1 << 16 // devices that ever had a request ordered in one room: they must fit into its snapshot
)

// Both modes are set up once and never changed; they are safe for concurrent use.
var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  maxItems,
		MaxMapPairs:       maxItems,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // constant options: cannot fail but by a programmer's mistake
	}
	return v
}

// Marshal returns the canonical encoding (RFC 8949 §4.2.1) of one of the project's own types. It panics on a type that has none.
func Marshal(v any) []byte {
	if b, ok := byHand(v); ok {
		return b
	}
	return must(encMode.Marshal(v))
}

// ErrNotCanonical is Unmarshal's answer to bytes that mean something but are not how Marshal says it.
var ErrNotCanonical = errors.New("not the canonical encoding")

// Unmarshal decodes strictly: what Marshal would not have written byte for byte is an error, so that a value has one encoding, and one hash.
// That takes in unknown fields, duplicate keys, tags, indefinite lengths, bad UTF-8 and trailing bytes, but also numbers and lengths written
// longer than need be, maps out of order, null for a whole value, and ids that are too short or too long (the decoder would pad or cut them).
// v must point to a zero value.
func Unmarshal(data []byte, v any) error {
	if known, good := readByHand(data, v); good {
		return nil
	} else if known {
		return fmt.Errorf("decode: %w", ErrNotCanonical)
	}
	return unmarshal(data, v)
}

// unmarshal is Unmarshal by the library.
func unmarshal(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("decode: %w", ErrNotCanonical)
	}
	return nil
}
