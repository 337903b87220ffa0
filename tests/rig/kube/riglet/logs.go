package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

var errLimit = errors.New("the byte limit is reached")

// limitWriter ends a log after so many bytes; a negative limit is none.
type limitWriter struct {
	w    http.ResponseWriter
	left int64
}

func (l *limitWriter) Write(data []byte) (int, error) {
	if l.left >= 0 && int64(len(data)) > l.left {
		n, _ := l.w.Write(data[:l.left])
		l.left = 0
		return n, errLimit
	}
	if l.left >= 0 {
		l.left -= int64(len(data))
	}
	n, err := l.w.Write(data)
	if flusher, ok := l.w.(http.Flusher); ok {
		flusher.Flush()
	}
	return n, err
}

// logFollower copies a log file, and what is added to it until its pod has ended.
type logFollower struct {
	file   string
	follow bool
	ended  func() bool
}

func (l *logFollower) copy(ctx context.Context, w io.Writer, tail int64) error {
	file, err := os.Open(l.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing was written yet
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if tail >= 0 {
		if err := seekTail(file, tail); err != nil {
			return err
		}
	}
	for {
		ended := l.ended()
		_, err := io.Copy(w, file)
		if errors.Is(err, errLimit) {
			return nil
		}
		if err != nil || !l.follow || ended {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// seekTail moves to the start of the last lines, looking back 16 MiB at most.
func seekTail(file *os.File, lines int64) error {
	const most = 16 << 20
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || lines == 0 {
		return err
	}
	start := max(0, end-most)
	data := make([]byte, end-start)
	if _, err := file.ReadAt(data, start); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at := len(bytes.TrimSuffix(data, []byte("\n")))
	for ; lines > 0 && at >= 0; lines-- {
		at = bytes.LastIndexByte(data[:at], '\n')
	}
	_, err = file.Seek(start+int64(at)+1, io.SeekStart)
	return err
}
