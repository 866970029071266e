// Keeps a value for the browser's next visits.
export default function ({ data }) {
  document.cookie = `${data.cookie}=${encodeURIComponent(data.value)}; path=/; max-age=31536000; SameSite=Strict`;
}
