package rooms

import (
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
func Marshal(v any) []byte { return must(encMode.Marshal(v)) }

// Unmarshal decodes strictly: unknown fields, duplicate keys, tags, indefinite lengths, bad UTF-8 and trailing bytes are errors.
func Unmarshal(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}
