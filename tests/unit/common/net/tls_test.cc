#include "common/net/tls.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

#include "common/net/listener.h"
#include "common/net/stream.h"
#include "common/net/tls_session.h"

namespace tandem {
namespace {

// A self-signed certificate and its key in one PEM file, gone with the object.
struct Certificate {
  explicit Certificate(const std::string& names) {
    static int count = 0;
    path = ::testing::TempDir() + "tandem_tls_" + std::to_string(::getpid()) + "_" +
           std::to_string(count++) + ".pem";
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* x509 = X509_new();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), count);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_EXTENSION* alternatives =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(x509, alternatives, -1);
    X509_EXTENSION_free(alternatives);
    X509_sign(x509, key, EVP_sha256());
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, x509);
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(x509);
    EVP_PKEY_free(key);
  }
  ~Certificate() { std::filesystem::remove(path); }
  std::string path;
};

// Reads until the end; echoes if it is the server.
struct End final : StreamHandler {
  void on_stream(bool, bool) override {
    char buffer[1000];
    while (stream != nullptr) {
      const IoResult got = stream->read(buffer);
      if (!got.ok()) {
        over = got.end() || got.failed();
        break;
      }
      text.append(buffer, got.bytes);
      if (echoes) to_write.append(buffer, got.bytes);
    }
    if (!to_write.empty()) {
      const IoResult put = stream->write(to_write);
      if (put.ok()) to_write.erase(0, put.bytes);
    }
    if (done) done();
  }
  std::unique_ptr<Stream> stream;
  std::string text, to_write;
  bool echoes = false, over = false;
  std::function<void()> done;
};

// A client and a server that echoes, each with its context.
struct Pair final : AcceptHandler {
  Pair(std::shared_ptr<const TlsContext> server_context,
       std::shared_ptr<const TlsContext> client_context, const std::string& name)
      : server_tls(std::move(server_context)), client_tls(std::move(client_context)) {
    listener = *Listener::open(loop, SocketAddress::loopback(0), {}, *this);
    server.echoes = true;
    client.stream = *Stream::connect(loop, listener->address(), &client);
    client.stream->start_tls(*client_tls, name);
  }
  void on_accept(Descriptor socket, const SocketAddress&) override {
    server.stream = std::make_unique<Stream>(loop, std::move(socket), &server);
    server.stream->start_tls(*server_tls);
  }
  // What the client reads back of `sent`; empty if the connection fails.
  std::string exchange(const std::string& sent) {
    client.to_write = sent;
    client.done = [&] {
      if (client.text.size() == sent.size() || client.over) loop.stop();
    };
    client.on_stream(true, true);  // write first; the handshake may be under way
    loop.run();
    return client.text;
  }
  std::shared_ptr<const TlsContext> server_tls, client_tls;
  EventLoop loop;
  std::unique_ptr<Listener> listener;
  End server, client;
};

std::shared_ptr<const TlsContext> server_with(std::vector<std::string> files) {
  return *TlsContext::server({.certificate_files = std::move(files)});
}

TEST(Tls, CarriesSmallAndLargeBothWays) {
  const Certificate certificate("DNS:a.test");
  Pair pair(server_with({certificate.path}), *TlsContext::client({.ca_file = certificate.path}),
            "a.test");
  std::string large;
  for (int i = 0; i < 1000000; ++i) large += static_cast<char>('a' + i % 26);
  EXPECT_EQ(pair.exchange(large), large);
  EXPECT_EQ(pair.client.stream->tls_version(), "TLSv1.3");
  pair.client.text.clear();
  EXPECT_EQ(pair.exchange("x"), "x");
}

// The peer is gone: what the kernel takes is lost, and yet it has left. Only then is it an error.
TEST(Tls, WhatHasLeftInPartIsNotCalledUnsent) {
  const Certificate certificate("DNS:a.test");
  Pair pair(server_with({certificate.path}), *TlsContext::client({.ca_file = certificate.path}),
            "a.test");
  ASSERT_EQ(pair.exchange("x"), "x");
  pair.server.stream.reset();
  const std::string large(300'000, 'x');
  const IoResult put = pair.client.stream->write(large);
  ASSERT_TRUE(put.ok());
  EXPECT_GT(put.bytes, 0u);
  EXPECT_LT(put.bytes, large.size()) << "it met the end on the way";
  EXPECT_TRUE(pair.client.stream->write(large).failed());
}

TEST(Tls, TheNameChoosesTheCertificate) {
  const Certificate first("DNS:first.test"), exact("DNS:www.second.test"),
      wild("DNS:*.second.test");
  const auto context = server_with({first.path, wild.path, exact.path});
  const auto good = [&](const Certificate& expected, const std::string& name) {
    Pair pair(context, *TlsContext::client({.ca_file = expected.path}), name);
    return pair.exchange("x") == "x";
  };
  EXPECT_TRUE(good(first, "first.test"));
  EXPECT_TRUE(good(exact, "www.second.test"));
  EXPECT_TRUE(good(wild, "other.second.test"));
  EXPECT_TRUE(good(wild, "OTHER.second.test"));
  EXPECT_FALSE(good(wild, "a.b.second.test"));
  EXPECT_FALSE(good(wild, "www.second.test"));
}

TEST(Tls, AnUnknownAuthorityAndAWrongNameAreRefused) {
  const Certificate certificate("DNS:a.test"), other("DNS:a.test");
  Pair unknown(server_with({certificate.path}), *TlsContext::client({.ca_file = other.path}),
               "a.test");
  EXPECT_EQ(unknown.exchange("x"), "");
  Pair wrong(server_with({certificate.path}), *TlsContext::client({.ca_file = certificate.path}),
             "b.test");
  EXPECT_EQ(wrong.exchange("x"), "");
  EXPECT_NE(wrong.client.stream->error().message.find("hostname mismatch"), std::string::npos)
      << wrong.client.stream->error().message;
}

TEST(Tls, FilesThatAreNoCertificatesAreTold) {
  const auto missing = TlsContext::server({.certificate_files = {"/nonexistent.pem"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().side, Side::kOperator);
}

// Each is answered, and OpenSSL reads as many as there are in one call.
TEST(Tls, AFloodOfKeyUpdatesEndsTheSession) {
  const Certificate certificate("DNS:a.test");
  Pair pair(server_with({certificate.path}), *TlsContext::client({.verify = false}), "a.test");
  ASSERT_EQ(pair.exchange("hello"), "hello");
  pair.client.done = nullptr;
  pair.server.done = [&] {
    if (pair.server.over) pair.loop.stop();
  };
  Timer patience(pair.loop, [&] { pair.loop.stop(); });
  patience.set_after(10s);
  std::thread flood([to = pair.listener->address()] {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    ::connect(fd, to.raw(), to.size());
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) {
      for (int i = 0; i < 4 * TlsSession::kKeyUpdatesMax; ++i) {
        if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1) break;
      }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) > 0) {
    }
    ::close(fd);
  });
  pair.loop.run();
  EXPECT_TRUE(pair.server.over);
  EXPECT_TRUE(pair.server.stream->failed());
  if (pair.server.stream->failed()) {
    EXPECT_EQ(pair.server.stream->error().message, "TLS: too many key updates");
  }
  pair.server.stream.reset();
  flood.join();
}

TEST(TlsPsk, AnEndWithoutItsNoticeIsACut) {
  const TlsPsk key{"k", std::string(32, 'k')};
  for (const bool says_so : {true, false}) {
    Pair pair(TlsContext::psk_server({key}), TlsContext::psk_client(key), "");
    ASSERT_EQ(pair.exchange("x"), "x");
    pair.client.done = [&] {
      if (pair.client.over) pair.loop.stop();
    };
    if (says_so) {
      pair.server.stream->shutdown_write();
    } else {
      ::shutdown(pair.server.stream->fd(), SHUT_WR);
    }
    pair.loop.run();
    EXPECT_FALSE(pair.client.stream->failed());
    EXPECT_EQ(pair.client.stream->cut(), !says_so);
  }
}

TEST(TlsPsk, TheSameKeyConnects) {
  const TlsPsk old{"old", std::string(32, 'o')}, now{"now", std::string(32, 'n')};
  Pair pair(TlsContext::psk_server({old, now}), TlsContext::psk_client(now), "");
  EXPECT_EQ(pair.exchange("hello"), "hello");
  EXPECT_EQ(pair.client.stream->tls_version(), "TLSv1.3");
}

// Data and the end in one flight, and the TCP side stays open: the read that brings the data leaves
// the end to be asked for.
TEST(TlsPsk, AnEndRightBehindDataIsSeen) {
  const TlsPsk key{"k", std::string(32, 'k')};
  Pair pair(TlsContext::psk_server({key}), TlsContext::psk_client(key), "");
  ASSERT_EQ(pair.exchange("x"), "x");
  struct Asks final : StreamHandler {
    void on_stream(bool, bool) override {
      char buffer[1000];
      while (stream->may_read() && !ended) {
        const IoResult got = stream->read(buffer);
        if (got.ok()) text.append(buffer, got.bytes);
        if (got.would_block()) break;
        ended = got.end();
      }
    }
    Stream* stream = nullptr;
    std::string text;
    bool ended = false;
  } asks;
  asks.stream = pair.client.stream.get();
  pair.client.stream->set_handler(&asks);
  pair.server.stream->write("last words");
  pair.server.stream->shutdown_write();
  for (int round = 0; round < 5; ++round) {
    pair.loop.post([&] { pair.loop.stop(); });
    pair.loop.run();
  }
  EXPECT_EQ(asks.text, "last words");
  EXPECT_TRUE(asks.ended);
}

TEST(TlsPsk, AnotherKeyIsRefused) {
  const TlsPsk key{"k", std::string(32, 'a')}, same_name{"k", std::string(32, 'b')};
  Pair wrong_key(TlsContext::psk_server({key}), TlsContext::psk_client(same_name), "");
  EXPECT_EQ(wrong_key.exchange("x"), "");
  Pair wrong_name(TlsContext::psk_server({key}),
                  TlsContext::psk_client({"other", std::string(32, 'a')}), "");
  EXPECT_EQ(wrong_name.exchange("x"), "");
}

TEST(TlsPsk, ACertificateIsNoKey) {
  const Certificate certificate("DNS:a.test");
  Pair pair(server_with({certificate.path}), TlsContext::psk_client({"k", std::string(32, 'a')}),
            "");
  EXPECT_EQ(pair.exchange("x"), "");
  Pair back(TlsContext::psk_server({{"k", std::string(32, 'a')}}),
            *TlsContext::client({.verify = false}), "");
  EXPECT_EQ(back.exchange("x"), "");
}

}  // namespace
}  // namespace tandem
