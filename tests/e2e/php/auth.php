<?php
/* tests/e2e/php/auth.php - lets people who are logged in into their channels; for the test, /login is a login:
 *
 *     RINGCAST_KEY=... RINGCAST_SECRET=... php -S 127.0.0.1:9000 auth.php */

session_start();
if ($_SERVER['REQUEST_URI'] === '/login') {
    $_SESSION['user'] = ['id' => '7', 'name' => 'Anna'];
    exit;
}

$user = $_SESSION['user'] ?? null;     // whom your login let in: ['id' => '7', 'name' => 'Anna']
$socket = $_POST['socket_id'] ?? '';
$channel = $_POST['channel_name'] ?? '';
$may = $user !== null && in_array($channel, ['presence-chat', "private-user-$user[id]"], true);
if (!$may || !preg_match('/^\d+\.\d+$/D', $socket)) {
    http_response_code(403);
    exit;
}
$isPresence = str_starts_with($channel, 'presence-');
$member = $isPresence ? json_encode(['user_id' => $user['id'], 'user_info' => $user]) : null;
$signed = implode(':', array_filter([$socket, $channel, $member]));
header('Content-Type: application/json');
echo json_encode(array_filter([
    'auth' => getenv('RINGCAST_KEY') . ':' . hash_hmac('sha256', $signed, getenv('RINGCAST_SECRET')),
    'channel_data' => $member,
]));
