package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

const (
	streamIdle     = 4 * time.Hour // what a kubelet allows
	streamCreation = 30 * time.Second
)

// serveKubelet is the kubelet endpoint of every node: the API server comes here for
// port-forward, exec, attach and logs, with its own client certificate.
func (r *rig) serveKubelet(ctx context.Context) error {
	pki := filepath.Join(r.dir, "pki")
	cert, err := tls.LoadX509KeyPair(filepath.Join(pki, "apiserver.crt"),
		filepath.Join(pki, "apiserver.key"))
	if err != nil {
		return err
	}
	caData, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caData)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("POST /mutate", r.serveMutate)
	mux.HandleFunc("/portForward/{namespace}/{pod}", r.kubeletOnly(r.servePortForward))
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", r.kubeletOnly(r.servePortForward))
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", r.kubeletOnly(r.serveExec))
	mux.HandleFunc("/exec/{namespace}/{pod}/{uid}/{container}", r.kubeletOnly(r.serveExec))
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", r.kubeletOnly(r.serveLogs))
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool,
			ClientAuth: tls.VerifyClientCertIfGiven, NextProtos: []string{"http/1.1"}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	// One listener a node, as each node has an address of its own; the first is for
	// the webhook.
	addresses := []string{"127.0.0.1"}
	for i := 1; i <= r.nodes; i++ {
		addresses = append(addresses, nodeAddress(i))
	}
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(r.kubeletPort)))
		if err != nil {
			return err
		}
		go func() {
			if err := server.ServeTLS(listener, "", ""); err != http.ErrServerClosed {
				log.Printf("kubelet: %v", err)
			}
		}()
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return nil
}

// kubeletOnly lets in who shows a certificate of the rig's authority.
func (r *rig) kubeletOnly(next func(http.ResponseWriter, *http.Request, *corev1.Pod)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if len(req.TLS.PeerCertificates) == 0 {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		pod, err := r.pods.Pods(req.PathValue("namespace")).Get(req.PathValue("pod"))
		if err != nil {
			http.Error(w, "pod does not exist", http.StatusNotFound)
			return
		}
		next(w, req, pod)
	}
}

func (r *rig) servePortForward(w http.ResponseWriter, req *http.Request, pod *corev1.Pod) {
	options, err := portforward.NewV4Options(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, req, &forwarder{rig: r, pod: pod}, pod.Name, string(pod.UID),
		options, streamIdle, streamCreation, portforward.SupportedProtocols)
}

type forwarder struct {
	rig *rig
	pod *corev1.Pod
}

// PortForward joins one stream to one port of the pod. It returns, and so ends the
// stream for the client, as soon as the pod's side is closed.
func (f *forwarder) PortForward(ctx context.Context, _, _ string, port int32,
	stream io.ReadWriteCloser) error {
	conn, err := f.dial(ctx, port)
	if err != nil {
		return fmt.Errorf("failed to execute portforward in network namespace of pod %s/%s: %w",
			f.pod.Namespace, f.pod.Name, err)
	}
	defer conn.Close()
	down := make(chan error, 1)
	up := make(chan error, 1)
	go func() {
		_, err := io.Copy(stream, conn)
		down <- err
	}()
	go func() {
		_, err := io.Copy(conn, stream)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		up <- err
	}()
	select {
	case err := <-down:
		return ignoreClosed(err)
	case <-up:
	}
	// The client has said all it had to; the pod may still answer.
	select {
	case err := <-down:
		return ignoreClosed(err)
	case <-ctx.Done():
		return nil
	case <-time.After(time.Minute):
		return nil
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

func (f *forwarder) dial(ctx context.Context, port int32) (net.Conn, error) {
	if target := f.rig.rules.forwardFor(f.pod.Namespace, f.pod.Name, port); target != "" {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", target)
	}
	if f.pod.Status.Phase != corev1.PodRunning {
		return nil, fmt.Errorf("the pod is %s", f.pod.Status.Phase)
	}
	if f.pod.Annotations[playKey] != playReal {
		return nil, fmt.Errorf("dial tcp4 127.0.0.1:%d: connect: connection refused", port)
	}
	return f.rig.runner.dial(f.pod, port)
}

func (r *rig) serveExec(w http.ResponseWriter, req *http.Request, pod *corev1.Pod) {
	options, err := remotecommand.NewOptions(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, req, r.runner, pod.Name, string(pod.UID),
		req.PathValue("container"), req.URL.Query()["command"], options, streamIdle,
		streamCreation, remotecommand.SupportedStreamingProtocols)
}

// serveLogs sends a container's log; of a played pod there is one line only.
func (r *rig) serveLogs(w http.ResponseWriter, req *http.Request, pod *corev1.Pod) {
	container := req.PathValue("container")
	query := req.URL.Query()
	tail, err := strconv.ParseInt(query.Get("tailLines"), 10, 64)
	if err != nil {
		tail = -1
	}
	limit, err := strconv.ParseInt(query.Get("limitBytes"), 10, 64)
	if err != nil {
		limit = -1
	}
	file := r.runner.logFile(pod, container, query.Get("previous") == "true")
	w.Header().Set("Content-Type", "text/plain")
	out := &limitWriter{w: w, left: limit}
	if file == "" {
		fmt.Fprintf(out, "container %s of %s/%s is played by the rig\n", container, pod.Namespace, pod.Name)
		return
	}
	log := &logFollower{file: file, follow: query.Get("follow") == "true",
		ended: func() bool { return !r.runner.running(pod) }}
	if err := log.copy(req.Context(), out, tail); err != nil {
		fmt.Fprintln(out, strings.TrimSpace(err.Error()))
	}
}
