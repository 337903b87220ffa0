package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probe runs the readiness probe of a running container. Liveness is not probed: on
// a small machine that is busy it would kill what only is slow.
func (c *container) probe(ctx context.Context) {
	probe := c.spec.ReadinessProbe
	if probe == nil || c.isInit {
		return
	}
	period := time.Duration(max(1, probe.PeriodSeconds)) * time.Second
	timeout := time.Duration(max(1, probe.TimeoutSeconds)) * time.Second
	if !sleep(ctx, time.Duration(probe.InitialDelaySeconds)*time.Second) {
		return
	}
	good, bad := int32(0), int32(0)
	for {
		err := c.probeOnce(ctx, probe, timeout)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			good, bad = good+1, 0
		} else {
			good, bad = 0, bad+1
		}
		c.mu.Lock()
		before := c.ready
		if good >= max(1, probe.SuccessThreshold) {
			c.ready = true
		} else if bad >= max(1, probe.FailureThreshold) {
			c.ready = false
		}
		changed := c.ready != before
		c.mu.Unlock()
		if changed {
			c.sandbox.report()
		}
		if err != nil && bad == max(1, probe.FailureThreshold) {
			c.sandbox.rig.events.Eventf(c.sandbox.pod, corev1.EventTypeWarning, "Unhealthy",
				"Readiness probe failed: %v", err)
		}
		if !sleep(ctx, period) {
			return
		}
	}
}

func (c *container) probeOnce(ctx context.Context, probe *corev1.Probe, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case probe.HTTPGet != nil:
		return c.probeHTTP(ctx, probe.HTTPGet, timeout)
	case probe.TCPSocket != nil:
		port, err := c.port(probe.TCPSocket.Port)
		if err != nil {
			return err
		}
		conn, err := c.sandbox.net.dial(port, timeout)
		if err == nil {
			conn.Close()
		}
		return err
	case probe.Exec != nil:
		var out strings.Builder
		code, err := c.exec(ctx, probe.Exec.Command, nil, &out, &out)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d: %.300s", code, out.String())
		}
		return err
	}
	return nil
}

func (c *container) probeHTTP(ctx context.Context, get *corev1.HTTPGetAction, timeout time.Duration) error {
	port, err := c.port(get.Port)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // as kubelets do
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return c.sandbox.net.dialTo(fmt.Sprintf("%s:%d", c.sandbox.net.ip, port), timeout)
		}}
	scheme := strings.ToLower(string(get.Scheme))
	if scheme == "" {
		scheme = "http"
	}
	url := fmt.Sprintf("%s://%s:%d/%s", scheme, c.sandbox.net.ip, port, strings.TrimPrefix(get.Path, "/"))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "kube-probe/rig")
	for _, header := range get.HTTPHeaders {
		req.Header.Add(header.Name, header.Value)
	}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode >= 400 {
		return fmt.Errorf("HTTP probe failed with statuscode: %d", answer.StatusCode)
	}
	return nil
}

func (c *container) port(port intstr.IntOrString) (int32, error) {
	if port.Type == intstr.Int {
		return port.IntVal, nil
	}
	for _, have := range c.spec.Ports {
		if have.Name == port.StrVal {
			return have.ContainerPort, nil
		}
	}
	return 0, fmt.Errorf("container %s has no port %q", c.spec.Name, port.StrVal)
}
