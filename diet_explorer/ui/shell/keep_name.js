// Keeps the name of whoever decides for the browser's next visits.
export default function ({ data }) {
  const name = encodeURIComponent(data.name);
  document.cookie = `${data.cookie}=${name}; path=/; max-age=31536000; SameSite=Strict`;
}
