package envelope

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// maxDictionary is how much content and base together are tried with zstd's dictionary: it
// takes a second for each megabyte, and a patch is smaller then.
const maxDictionary = 1 << 20

// zstandard packs content at the best level, with a window over all of it and the base: faster
// levels silently stop matching. Its own checksum is left out, SHA-256 does more.
func zstandard(content, base []byte) ([]byte, error) {
	window := zstd.MinWindowSize
	for window < len(content)+len(base) && window < zstd.MaxWindowSize {
		window *= 2
	}
	level := zstd.SpeedBestCompression
	if len(content) > maxDictionary {
		level = zstd.SpeedBetterCompression
	}
	options := []zstd.EOption{
		zstd.WithEncoderLevel(level), zstd.WithWindowSize(window),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithEncoderConcurrency(1),
	}
	if len(base) > 0 {
		options = append(options, zstd.WithEncoderDictRaw(0, base))
	}
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	packed := w.EncodeAll(content, nil)
	return packed, w.Close()
}

// unzstd unpacks at most length bytes.
func unzstd(packed, base []byte, length int) ([]byte, error) {
	var head zstd.Header
	if err := head.Decode(packed); err != nil {
		return nil, formatError("it is not zstd: %v", err)
	}
	if !head.HasFCS || head.FrameContentSize != uint64(length) {
		return nil, formatError("its zstd frame does not have the %d bytes that it announces", length)
	}
	options := []zstd.DOption{
		zstd.WithDecoderMaxMemory(uint64(max(length, zstd.MinWindowSize))), zstd.WithDecoderMaxWindow(zstd.MaxWindowSize),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
	}
	if len(base) > 0 {
		options = append(options, zstd.WithDecoderDictRaw(0, base))
	}
	r, err := zstd.NewReader(nil, options...)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	defer r.Close()
	content, err := r.DecodeAll(packed, make([]byte, 0, length))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, formatError("it unpacks to more than the %d bytes that it announces", length)
	case err != nil || len(content) != length:
		return nil, formatError("its zstd frame is damaged: %v", err)
	}
	return content, nil
}
