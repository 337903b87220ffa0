package main

import (
	"bytes"
	"context"
	"os"
	"sync"
	"time"
)

// Ray gives a starting node 30 seconds, and nothing changes that. On a few busy
// cores several nodes at once would need longer, so that they start in turn.
const (
	turnLimit   = 60 * time.Second
	startedText = "Ray runtime started."
)

// takeTurn waits until this container may start. The function it returns lets the
// next one begin; it may be called again.
func (c *container) takeTurn(ctx context.Context) (func(), bool) {
	if c.isInit || !isRay(c.sandbox.pod) || c != c.sandbox.main[0] {
		return func() {}, true
	}
	turns := c.sandbox.rig.runner.turns
	select {
	case turns <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	return sync.OnceFunc(func() { <-turns }), true
}

// waitStarted waits for the line that a Ray node prints when it has joined.
func (c *container) waitStarted(ctx context.Context) {
	if !isRay(c.sandbox.pod) || c != c.sandbox.main[0] {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	for sleep(ctx, 300*time.Millisecond) {
		if data, err := os.ReadFile(c.log); err == nil && bytes.Contains(data, []byte(startedText)) {
			return
		}
	}
}
