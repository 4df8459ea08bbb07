/* tests/e2e/WssClient.java - Java's own TLS as a client: java WssClient.java URL CA VERSION
 *
 * Says messages of many sizes in a lobby that sends them back, nearly three megabytes in all, and waits for each. Java
 * changes the keys of a session of TLS 1.3 by itself, here after each megabyte (the security property
 * jdk.tls.keyLimits), and asks for new ones of the other side. Exit status 0: all came back as it was. */

import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.security.KeyStore;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

public class WssClient {
    static final int[] SIZES = {0, 1, 125, 126, 16_383, 16_384, 16_385, 60_000};
    static final int ROUNDS = 200, WAIT_SECONDS = 60;

    static class Inbox implements WebSocket.Listener {
        final LinkedBlockingQueue<byte[]> messages = new LinkedBlockingQueue<>();
        private ByteBuffer whole = ByteBuffer.allocate(1 << 20);

        @Override
        public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean isLast) {
            whole.put(part);
            if (isLast) {
                messages.add(Arrays.copyOf(whole.array(), whole.position()));
                whole.clear();
            }
            socket.request(1);
            return null;
        }
    }

    static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (FileInputStream in = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] arguments) throws Exception {
        Security.setProperty("jdk.tls.keyLimits",
            "AES/GCM/NoPadding KeyUpdate 2^20, ChaCha20-Poly1305 KeyUpdate 2^20");
        SSLParameters parameters = new SSLParameters();
        parameters.setProtocols(new String[] {arguments[2]});
        HttpClient client = HttpClient.newBuilder().sslContext(trusting(arguments[1])).sslParameters(parameters).build();
        Inbox inbox = new Inbox();
        WebSocket socket = client.newWebSocketBuilder().connectTimeout(Duration.ofSeconds(WAIT_SECONDS))
            .buildAsync(URI.create(arguments[0]), inbox).get(WAIT_SECONDS, TimeUnit.SECONDS);
        long bytes = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] message = new byte[SIZES[round % SIZES.length]];
            for (int i = 0; i < message.length; i++) message[i] = (byte) (i * 31 + round);
            socket.sendBinary(ByteBuffer.wrap(message), true).get(WAIT_SECONDS, TimeUnit.SECONDS);
            byte[] heard = inbox.messages.poll(WAIT_SECONDS, TimeUnit.SECONDS);
            if (!Arrays.equals(heard, message)) throw new IllegalStateException("round " + round);
            bytes += message.length;
        }
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(WAIT_SECONDS, TimeUnit.SECONDS);
        System.out.println(bytes + " bytes came back");
        System.exit(0);
    }
}
